package cli

import (
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionJSON is what version --json prints.
type versionJSON struct {
	Version  string `json:"version"`  // the module's, or (devel)
	Revision string `json:"revision"` // of the repository, where the build knows it
	Time     string `json:"time"`     // of the revision
	Modified bool   `json:"modified"` // files differed from the revision
	Go       string `json:"go"`       // version and platform
}

func readVersion() versionJSON {
	v := versionJSON{Version: "(devel)", Go: platform()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Revision = setting.Value
		case "vcs.time":
			v.Time = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	return v
}

func (a *app) versionVerb() *cobra.Command {
	var asJSON bool
	cmd := a.verb("version", groupMore)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagJSON)
	cmd.RunE = func(*cobra.Command, []string) error {
		v := readVersion()
		if asJSON {
			return a.json(v)
		}
		a.printf(textVersion+"\n", v.Version, v.Go)
		if v.Revision != "" {
			a.printf(textRevision+"\n", v.Revision, v.Time)
		}
		return nil
	}
	return cmd
}
