// want: polls-without-pause

package mistakes

// PollsWithoutPause leaves WaitTimeSeconds at its default, 0.
var PollsWithoutPause = with(func(c *consumer) {
	c.longPoll = 0
})
