package run

import "time"

// An Order is what a run is asked for with, other than by its schedule.
type Order struct {
	Trigger Trigger
	Payload []byte   // given to the script; may be nil
	Request *Request // nil unless Trigger is Hook
}

// A Request is the HTTP request that a run was asked for with; its body is the
// order's payload.
type Request struct {
	Params  map[string]string `json:"params"`  // of the query
	Headers map[string]string `json:"headers"` // names in lower case; none that holds a credential
	At      time.Time         `json:"at"`
}
