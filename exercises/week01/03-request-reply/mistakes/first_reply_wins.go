// want: answers-mixed-up

package mistakes

// FirstReplyWins takes whatever comes.
var FirstReplyWins = polling(func(bool) (take, drop bool) { return true, true })
