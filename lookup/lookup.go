// Package lookup answers lookup questions ([evidence.LookupQuestion]) from what
// an operator, or a person at the command line, has in files: lists of bad
// keys, blocked and unsafe names and denied parties ([Config]), and records of
// what a service already knows ([Records]): earlier orders, the account, calls.
//
// An answer never fails and never guesses. Records that are not kept are
// answered as absent; a list that cannot be read is an input with an error
// ([evidence.Input]), so that nobody takes "not looked at" for "nothing found".
// Which finding follows from an answer is decided by package review alone.
//
// The formats of the files are described in docs/lists.md.
package lookup

import (
	"errors"
	"slices"
	"strings"
	"time"

	"assay/data"
	"assay/evidence"
)

// Config says which files to read. The zero value has no list and no records:
// every list is then an input that is not configured, every record absent.
type Config struct {
	// CompromisedKeys are lists of keys known to be exposed (text or SQLite):
	// the input "keys.compromised".
	CompromisedKeys []string
	// DebianKeys are lists of the keys that Debian's OpenSSL made in 2006-2008
	// (dwklint's SQLite, openssl-vulnkey's text, or text of SHA-256 digests of
	// moduli): the input "keys.debian".
	DebianKeys []string
	// BlockedNames are the operator's block lists: the input "names.blocked".
	BlockedNames []string
	// UnsafeNames are feeds of phishing and malware hosts: "names.unsafe".
	UnsafeNames []string
	// DeniedParties are lists of parties that get no certificate (CSV):
	// "parties.denied".
	DeniedParties []string
	// Records are what is known of earlier orders, the account and so on; nil:
	// nothing is kept.
	Records *Records
	// Data are the snapshots the review reads; they are listed among the inputs
	// and give registrable domains. nil: the embedded ones.
	Data *data.Set
	// Clock is the caller's finding about its own clock, listed among the inputs
	// where it is given: an Error says that the time is not synchronised.
	Clock *evidence.Input
}

// A Source answers lookup questions. It is safe for concurrent use.
type Source struct {
	data    *data.Set
	inputs  evidence.Observation
	absent  map[evidence.Topic]evidence.Observation
	records *Records
	orders  *orderIndex

	compromised, debian []keyList
	blocked             []*blockedNames
	unsafe              []*nameFeed
	denied              []*partyList
	closers             []func() error
}

// Open reads every list of the configuration. A list that cannot be read is no
// error here: it is an input that says so. The error is about records whose
// CSRs are not readable.
func Open(c Config) (*Source, error) {
	s := &Source{data: c.Data, records: c.Records}
	if s.data == nil {
		s.data = data.Embedded()
	}
	if s.records == nil {
		s.records = &Records{}
	}
	orders, err := indexOrders(s.records.Orders, s.data)
	if err != nil {
		return nil, err
	}
	s.orders = orders
	inputs := slices.Clone(s.data.Inputs())
	inputs = append(inputs,
		s.readAll("keys.compromised", c.CompromisedKeys, s.openCompromised),
		s.readAll("keys.debian", c.DebianKeys, s.openDebian),
		s.readAll("names.blocked", c.BlockedNames, s.openBlocked),
		s.readAll("names.unsafe", c.UnsafeNames, s.openUnsafe),
		s.readAll("parties.denied", c.DeniedParties, s.openDenied),
	)
	if c.Clock != nil {
		clock := *c.Clock
		clock.Name = "clock"
		inputs = append(inputs, clock)
	}
	s.inputs = answer(evidence.LookupQuestion{Topic: evidence.TopicInputs}, &evidence.LookupAnswer{Inputs: inputs}).Identify()
	s.absent = map[evidence.Topic]evidence.Observation{}
	for _, t := range []evidence.Topic{
		evidence.TopicInputs, evidence.TopicKeys, evidence.TopicNames, evidence.TopicParties, evidence.TopicOrders,
		evidence.TopicAccount, evidence.TopicCertificate, evidence.TopicClaims, evidence.TopicCalls,
		evidence.TopicLetters, evidence.TopicPeople, evidence.TopicApprovals, evidence.TopicChecks,
	} {
		s.absent[t] = answer(evidence.LookupQuestion{Topic: t}, &evidence.LookupAnswer{Absent: true}).Identify()
	}
	return s, nil
}

// Close lets go of the lists that are databases.
func (s *Source) Close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// Answer answers a question. What is the same for every order (the inputs, and
// topics that are not kept) is one shared observation whose question carries
// only the topic and whose id is set; any other observation carries the
// question as asked, and its id is left to whoever stores it.
func (s *Source) Answer(q evidence.LookupQuestion, at time.Time) evidence.Observation {
	o := s.answer(q)
	o.At = at
	return o
}

func (s *Source) answer(q evidence.LookupQuestion) evidence.Observation {
	r := s.records
	switch q.Topic {
	case evidence.TopicInputs:
		return s.inputs
	case evidence.TopicKeys:
		if len(s.compromised)+len(s.debian) > 0 || r.Keys != nil {
			return s.answerKeys(q)
		}
	case evidence.TopicNames:
		if len(s.blocked)+len(s.unsafe) > 0 || r.Names != nil {
			return s.answerNames(q)
		}
	case evidence.TopicParties:
		if len(s.denied) > 0 || r.Parties != nil {
			return s.answerParties(q)
		}
	case evidence.TopicOrders:
		if s.orders != nil {
			return answer(q, &evidence.LookupAnswer{Orders: s.orders.find(q)})
		}
	default:
		if a := r.answer(q); a != nil {
			return answer(q, a)
		}
	}
	if o, ok := s.absent[q.Topic]; ok {
		return o
	}
	return answer(q, &evidence.LookupAnswer{Absent: true})
}

func answer(q evidence.LookupQuestion, a *evidence.LookupAnswer) evidence.Observation {
	return evidence.Observation{Question: evidence.Question{Kind: evidence.KindLookup, Lookup: &q}, Lookup: a}
}

// unknown is the answer where records that are kept could not be read now.
func unknown(q evidence.LookupQuestion, reason string) evidence.Observation {
	return evidence.Observation{Question: evidence.Question{Kind: evidence.KindLookup, Lookup: &q}, Unknown: reason}
}

// readAll opens the files of one input and says how that went as one input:
// the oldest date, all entries, every error.
func (s *Source) readAll(name string, paths []string, open func(path string) (info, error)) evidence.Input {
	in := evidence.Input{Name: name, Configured: len(paths) > 0}
	var errs, digests []string
	for _, path := range paths {
		i, err := open(path)
		if err != nil {
			errs = append(errs, err.Error())
		}
		if !i.date.IsZero() && (in.Date.IsZero() || i.date.Before(in.Date)) {
			in.Date = i.date
		}
		in.Entries += i.entries
		digests = append(digests, i.sha256)
	}
	in.Error = strings.Join(errs, "; ")
	switch {
	case len(errs) > 0 || slices.Contains(digests, ""):
	case len(digests) == 1:
		in.SHA256 = digests[0]
	case len(digests) > 1:
		in.SHA256 = digestOf(strings.Join(digests, "\n"))
	}
	return in
}
