// want: answer-lost

package mistakes

// DeletesForeignReplies cleans up what is not its own.
var DeletesForeignReplies = polling(func(mine bool) (take, drop bool) { return mine, true })
