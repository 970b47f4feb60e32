package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/brokerdojo/brokerdojo/internal/course"
	"github.com/brokerdojo/brokerdojo/localstack/embedded"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq"
)

// closePatience is how long the cloud may take to end.
const closePatience = 2 * time.Second

func (a *app) upVerb() *cobra.Command {
	var only, permit []string
	var ports, iam string
	var verbose, asJSON bool
	cmd := a.verb("up", groupCloud)
	cmd.Flags().StringSliceVar(&only, "only", nil, flagOnly)
	cmd.Flags().StringVar(&ports, "ports", "standard", flagPorts)
	cmd.Flags().StringVar(&iam, "iam", embedded.IAMOff, flagIAM)
	cmd.Flags().StringSliceVar(&permit, "permit", nil, flagPermit)
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, flagVerbose)
	cmd.Flags().BoolVar(&asJSON, "json", false, flagUpJSON)
	services := cobra.FixedCompletions(embedded.Services(), cobra.ShellCompDirectiveNoFileComp)
	portChoices := cobra.FixedCompletions([]cobra.Completion{"standard", "auto"}, cobra.ShellCompDirectiveNoFileComp)
	iamChoices := cobra.FixedCompletions(embedded.IAMModes(), cobra.ShellCompDirectiveNoFileComp)
	if err := errors.Join(cmd.RegisterFlagCompletionFunc("only", services), cmd.RegisterFlagCompletionFunc("ports", portChoices),
		cmd.RegisterFlagCompletionFunc("iam", iamChoices)); err != nil {
		panic(err) // the flags are those above
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		options := embedded.Options{Services: only, Permit: permit, IAM: iam}
		for _, name := range permit {
			if !slices.Contains(rabbitmq.Features(), name) {
				return usage(fmt.Sprintf(textFixFeature, strings.Join(rabbitmq.Features(), ", ")), textNoFeature, name)
			}
		}
		for _, name := range only {
			if !slices.Contains(embedded.Services(), name) {
				return usage(fmt.Sprintf(textFixServices, strings.Join(embedded.Services(), ", ")), textNoService, name)
			}
		}
		if !slices.Contains(embedded.IAMModes(), iam) {
			return usage(textFixIAM, textNoIAM, iam)
		}
		switch ports {
		case "standard":
			options.Ports = embedded.Standard
		case "auto":
			options.Ports = embedded.Auto
		default:
			return usage(textFixPorts, textNoPorts, ports)
		}
		level := slog.LevelWarn
		if verbose {
			level = slog.LevelDebug
		}
		options.Log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
		return a.up(cmd.Context(), options, asJSON)
	}
	return cmd
}

// up runs the local cloud until ctx ends.
func (a *app) up(ctx context.Context, options embedded.Options, asJSON bool) error {
	began := time.Now()
	cloud, err := embedded.Start(ctx, options)
	if ctx.Err() != nil {
		return exitCode(ExitInterrupted)
	}
	if err != nil {
		return broken(err, a.text(textFixUp))
	}
	running := describeCloud(cloud)
	// The cloud also runs outside of the course's folder; then nobody can find
	// it but who reads this output.
	var state *cloudState
	var how string // to use it in another terminal
	if root, err := course.FindRoot(a.Dir); err == nil {
		if state, err = claimCloudState(root, running); err != nil {
			return errors.Join(err, cloud.Close())
		}
		how = a.text(fmt.Sprintf(textEval, defaultShell(a.Env).eval))
		if state == nil {
			how = styleNote.Render(textOtherCloud)
		}
	}
	if asJSON {
		err = json.NewEncoder(a.Stdout).Encode(running)
	} else {
		a.showCloud(cloud, running, how, time.Since(began))
	}
	if err == nil {
		<-ctx.Done()
	}
	if err := errors.Join(err, a.down(cloud, state)); err != nil {
		return err
	}
	fmt.Fprintln(a.err, textDown)
	return nil
}

// down ends the cloud and says so when that takes too long.
func (a *app) down(cloud *embedded.Cloud, state *cloudState) error {
	err := state.release()
	closed := make(chan error, 1)
	go func() { closed <- cloud.Close() }()
	select {
	case closeErr := <-closed:
		return errors.Join(err, closeErr)
	case <-time.After(closePatience):
		return errors.Join(err, fmt.Errorf("the cloud did not end within %v", closePatience))
	}
}

// runningCloud is what up --json prints, and what the state file holds.
type runningCloud struct {
	Ready     bool              `json:"ready"`
	Endpoints map[string]string `json:"endpoints"` // by service
	Env       map[string]string `json:"env"`
	PID       int               `json:"pid"`
	Replaced  map[string][]int  `json:"replaced,omitempty"` // the standard ports that were taken, by service
	Started   time.Time         `json:"started"`
}

func describeCloud(cloud *embedded.Cloud) runningCloud {
	running := runningCloud{
		Ready: true, Endpoints: map[string]string{}, Env: map[string]string{}, PID: os.Getpid(),
		Started: time.Now().UTC().Truncate(time.Second),
	}
	for _, e := range cloud.Endpoints() {
		running.Endpoints[e.Service] = e.Address
		if len(e.Wanted) > 0 {
			if running.Replaced == nil {
				running.Replaced = map[string][]int{}
			}
			running.Replaced[e.Service] = e.Wanted
		}
	}
	for _, v := range cloud.Env() {
		running.Env[v.Name] = v.Value
	}
	return running
}

// showCloud prints what a person needs to use the cloud.
func (a *app) showCloud(cloud *embedded.Cloud, running runningCloud, how string, took time.Duration) {
	a.printf(textUp+"\n\n", running.PID, took.Milliseconds())
	table := [][]string{{styleFaint.Render(textService), styleFaint.Render(textEndpoint), styleFaint.Render(textSetting)}}
	for _, e := range cloud.Endpoints() {
		table = append(table, []string{e.Title, styleCode.Render(e.Address), e.Setting})
	}
	a.printf("%s", columns("  ", table))
	for _, e := range cloud.Endpoints() {
		if len(e.Wanted) > 0 {
			var taken []string
			for _, port := range e.Wanted {
				taken = append(taken, fmt.Sprint(port))
			}
			a.printf("\n  %s\n", styleNote.Render(fmt.Sprintf(textPortTaken, strings.Join(taken, ", "), e.Title, e.Address)))
		}
	}
	sh := defaultShell(a.Env)
	a.printf("\n%s\n\n", textExports)
	for _, v := range cloud.Env() {
		if line, err := sh.export(v.Name, v.Value); err == nil {
			a.printf("  %s\n", styleCode.Render(line))
		}
	}
	a.printf("\n")
	if how != "" {
		a.printf("%s\n", how)
	}
	a.printf("%s\n", textUpEnd)
}
