package explain

import (
	"slices"
	"strings"
	"sync"

	"assay/cause"
	"assay/review"
)

// hostName is a name that may stand in a command line as it is: nothing in it
// means anything to a shell.
var hostName = lazily(`^(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9\-]{2,63}$`)

var implemented = sync.OnceValue(review.Implemented)

// hasRule is true for a cause that this release checks.
func hasRule(id cause.ID) bool {
	_, found := slices.BinarySearch(implemented(), id)
	return found
}

// check returns the command that tells whether a cause holds, and what it
// needs. rule says that this release checks the cause; name is the name the
// message was about, "" where it says none; the profile is the one that judges
// as the writer of the message does.
func check(id cause.ID, rule bool, name, profile string) (command, needs string) {
	name = orderName(name)
	profile = " --profile " + profile
	switch stage := id.Stage(); {
	case !rule:
		switch stage {
		case "dns", "file", "tls", "caa", "perspective":
			return "assay check " + name + profile + "  # needs the live network review, which the next release brings", NeedsNetwork
		}
		return "assay causes " + string(id) + "  # what to do (this release has no check for it)", NeedsLater
	case stage == "dns" || stage == "caa" || stage == "perspective" || stage == "file" || stage == "tls":
		return "assay check " + name + profile, NeedsNetwork
	case stage == "upload":
		if command = "assay cert inspect FILE.pem"; id == cause.UploadKeyMismatch {
			command += " --key FILE.key"
		}
		return command + profile, NeedsNothing
	case stage == "key" || stage == "csr":
		command = "assay check --offline " + name + " --csr FILE.csr" + profile
	case stage == "organization" || stage == "request":
		command = "assay check --offline --order ORDER.yaml" + profile
	case stage == "limit":
		command = "assay check --offline --order ORDER.yaml --history HISTORY.yaml" + profile
	default:
		command = "assay check --offline " + name + profile
	}
	if id == cause.CSRReused || id == cause.KeyReused {
		command += " --history HISTORY.yaml"
	}
	return command, NeedsNothing
}

// orderName is the name of an order that a message about some name concerns:
// without the label of a validation record. A text from outside never reaches
// a command line unless it is a plain host name.
func orderName(name string) string {
	name = strings.ToLower(name)
	for _, label := range []string{"_acme-challenge.", "_dnsauth."} {
		name = strings.TrimPrefix(name, label)
	}
	bare, wildcard := strings.CutPrefix(name, "*.")
	if len(bare) > 253 || !hostName().MatchString(bare) {
		return "NAME"
	}
	if wildcard {
		return "'*." + bare + "'"
	}
	return bare
}
