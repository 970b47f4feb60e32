// want: answer-delayed

package mistakes

// LeavesForeignReplies leaves the replies of others in the queue, and hides them from their owners.
var LeavesForeignReplies = polling(func(mine bool) (take, drop bool) { return mine, mine })
