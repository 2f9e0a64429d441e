package data

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A masterRecord is one record of a master file (RFC 1035 5.1), its fields as
// they stand there.
type masterRecord struct {
	line  int
	owner string // lower case, no trailing dot; "" is the root
	typ   string
	data  []string
}

// maxMasterLine bounds one line of a master file, and one record in parentheses.
const maxMasterLine = 8 << 10

// masterRecords reads the few forms of a master file that root hints and trust
// anchors are published in: owner, TTL and class in either order and each
// optional, type, data; comments; parentheses. No $-directives, no relative
// names, no owner left out.
func masterRecords(text string) ([]masterRecord, error) {
	apart := strings.NewReplacer("(", " ( ", ")", " ) ")
	var records []masterRecord
	var fields []string
	number, start, open := 0, 0, false
	for line := range strings.Lines(text) {
		number++
		if len(line) > maxMasterLine || len(fields) > maxMasterLine/2 {
			return nil, fmt.Errorf("line %d: longer than a record can be", number)
		}
		line, _, _ = strings.Cut(line, ";")
		for _, field := range strings.Fields(apart.Replace(line)) {
			if len(fields) == 0 {
				start = number
			}
			switch {
			case field == "(" && !open, field == ")" && open:
				open = !open
			case field == "(" || field == ")":
				return nil, fmt.Errorf("line %d: parentheses do not match", number)
			default:
				fields = append(fields, field)
			}
		}
		if open || len(fields) == 0 {
			continue
		}
		r, err := masterRecordOf(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", start, err)
		}
		r.line = start
		records = append(records, r)
		fields = nil
	}
	if open {
		return nil, fmt.Errorf("line %d: a parenthesis is not closed", start)
	}
	return records, nil
}

func masterRecordOf(fields []string) (masterRecord, error) {
	owner := fields[0]
	if strings.HasPrefix(owner, "$") {
		return masterRecord{}, fmt.Errorf("%.40s is not supported: write whole names", owner)
	}
	if !strings.HasSuffix(owner, ".") {
		return masterRecord{}, fmt.Errorf("the name %.80q must end with a dot", owner)
	}
	r := masterRecord{owner: strings.ToLower(strings.TrimSuffix(owner, "."))}
	for _, f := range fields[1:] {
		if r.typ != "" {
			r.data = append(r.data, f)
			continue
		}
		if _, err := strconv.ParseUint(f, 10, 32); err == nil || strings.EqualFold(f, "IN") {
			continue
		}
		r.typ = strings.ToUpper(f)
	}
	if len(r.data) == 0 {
		return masterRecord{}, errors.New("want name, TTL, class, type and data")
	}
	return r, nil
}
