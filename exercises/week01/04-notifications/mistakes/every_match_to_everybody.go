// want: delivered-twice

package mistakes

import "path"

// EveryMatchToEverybody looks for the subscribers of a message by its channel. Redis has sent it once for each pattern already.
var EveryMatchToEverybody = with(func(h *hub) {
	h.fits = func(h *hub, _, channel string) []*topic {
		var fit []*topic
		for pattern, t := range h.topics {
			if ok, _ := path.Match(pattern, channel); ok {
				fit = append(fit, t)
			}
		}
		return fit
	}
})
