package embedded

// LoopbackHTTP is how a started cloud calls HTTP subscribers.
var LoopbackHTTP = loopbackHTTP
