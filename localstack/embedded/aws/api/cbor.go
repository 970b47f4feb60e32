package api

import (
	"net/http"

	"github.com/fxamacker/cbor/v2"
)

// CloudWatch's Go client speaks RPC v2 CBOR: the service's and the operation's name stand in the path, the members in a map.
// Source: Smithy 2.0 specification, RPC v2 CBOR protocol (checked 2026-12-01).

var (
	cborDecoder = must(cbor.DecOptions{MaxNestedLevels: 64}.DecMode())
	cborEncoder = must(cbor.EncOptions{}.EncMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options above are constants
	}
	return v
}

// ServeCBOR answers a request of the RPC v2 CBOR protocol.
func (s *Service) ServeCBOR(w http.ResponseWriter, c *Call, body []byte) {
	out, err := s.answer(c, func(in any) error {
		if len(body) == 0 {
			return nil
		}
		if err := cborDecoder.Unmarshal(body, in); err != nil {
			return Errorf("SerializationException", "The request body could not be read: %v", err)
		}
		return nil
	})
	if err != nil {
		s.writeCBORError(w, c, err)
		return
	}
	answer, err := cborEncoder.Marshal(out)
	if err != nil {
		s.writeCBORError(w, c, err)
		return
	}
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	writeBody(w, c, "application/cbor", http.StatusOK, answer)
}

func (s *Service) writeCBORError(w http.ResponseWriter, c *Call, err error) {
	e := s.serviceError(c, err)
	s.queryCompatible(w, e)
	answer, err := cborEncoder.Marshal(s.errorShape(e))
	if err != nil {
		panic(err) // strings always marshal, and so do the details that our own services add
	}
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	writeBody(w, c, "application/cbor", e.status(), answer)
}
