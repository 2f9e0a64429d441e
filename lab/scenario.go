package lab

import (
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// A ScenarioFile is one file of scenarios/, named after the cause it is about:
// worlds that show it, and near misses that must not.
type ScenarioFile struct {
	// Shows are worlds in which the review finds exactly what Want lists, the
	// cause among them as a root (explained by nothing).
	Shows []Scenario `json:"shows"`
	// NearMisses are worlds as like them as possible that do not raise the cause.
	NearMisses []Scenario `json:"near_misses"`
}

// A Scenario is an order, a world to look at, and the findings expected.
type Scenario struct {
	// ID names the scenario among all: the cause of its file, then "/2", "/3" for
	// further shows, "/near", "/near/2" for near misses.
	ID string `json:"-"`
	// Cause is what its file is about, Near whether it is a near miss.
	Cause cause.ID `json:"-"`
	Near  bool     `json:"-"`
	// Name says in a few words what is special about this world.
	Name string `json:"name"`
	// Profile to judge by; cloud by default.
	Profile string `json:"profile"`
	// At is the time of the review and the clock of the world; default [Clock].
	At   time.Time `json:"at"`
	Mode string    `json:"mode"` // precheck (default) or attempt
	// Order is an order file. Empty: a DV order for orchard.net, submitted an hour
	// before, that expects the value [Value] by Method (default dns).
	Order  *order.File  `json:"order"`
	Method order.Method `json:"method"`
	// Deployment makes it a scenario about a certificate in use, and no order.
	Deployment *Deployment `json:"deployment"`
	// World is what differs from the healthy world.
	World Change `json:"world"`
	// Records are answers of kept records by topic (earlier orders, checks).
	Records map[evidence.Topic]evidence.LookupAnswer `json:"records"`
	// Want is every finding, in any order; its parameters need only list some.
	Want []Wanted `json:"want"`
}

// A Deployment is a certificate that was deployed: the new one of [Deployed], with
// its chain.
type Deployment struct {
	// Names are looked at; default orchard.net.
	Names Strings `json:"names"`
}

// Wanted is one finding that a scenario expects.
type Wanted struct {
	Cause       cause.ID          `json:"cause"`
	Level       cause.Level       `json:"level"`
	Subject     string            `json:"subject"`
	Parameters  map[string]string `json:"parameters"`
	ExplainedBy string            `json:"explained_by"`
}

// Clock is the time in the laboratory where a scenario sets none.
var Clock = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

// Value is what an order of the laboratory asks to be published.
const Value = "20261125a7k2m9x4q8w3e5r6t1"
