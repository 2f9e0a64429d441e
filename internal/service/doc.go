// Package service holds the use cases of the order service: apply, validate,
// decide. It is the only writer of state. Every use case is one unit of
// [store.Store.Write] that holds the change of state, what is due next and the
// audit entry.
//
// Faces (REST, the cloud's API, ACME, the console) translate to and from the
// types here and hold no rules; who may do what is decided here, by [Principal].
package service
