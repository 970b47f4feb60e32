package sns

import (
	"fmt"
	"strconv"
)

// reasonError is why a value is refused: what an InvalidParameter error's message says after "Invalid parameter: ",
// in an operation that sets one attribute, or after "Invalid parameter: Attributes Reason: ", in one that creates something.
type reasonError string

func (e reasonError) Error() string { return string(e) }

func reason(format string, args ...any) error { return reasonError(fmt.Sprintf(format, args...)) }

func jsonReason(err error) error { return reason("failed to parse JSON. %s", err) }

func parseBool(name, value string) (bool, error) {
	if value != "true" && value != "false" {
		return false, reason("%s: Invalid value [%s]. Must be true or false.", name, value)
	}
	return strconv.ParseBool(value)
}
