package review

import (
	"math/big"
	"slices"
	"strconv"

	"assay/cause"
	"assay/evidence"
	"assay/key"
	"assay/order"
)

var keyRules = []rule{
	{causes: []cause.ID{cause.KeyTypeNotAllowed}, needs: needParsedCSR, run: keyType},
	{causes: []cause.ID{cause.KeyEncodingInvalid}, needs: needParsedCSR, run: keyEncoding},
	{causes: []cause.ID{cause.KeyRSASizeNotAllowed}, needs: needKey, run: rsaSize},
	{causes: []cause.ID{cause.KeyRSAExponentNotAllowed}, needs: needKey, run: rsaExponent},
	{causes: []cause.ID{cause.KeyRSAModulusWeak}, needs: needKey, also: []evidence.Topic{evidence.TopicKeys}, run: rsaModulus},
	{causes: []cause.ID{cause.KeyClosePrimes}, needs: needKey, run: closePrimes},
	{causes: []cause.ID{cause.KeyROCA}, needs: needKey, run: roca},
	{causes: []cause.ID{cause.KeyDebianWeak}, needs: needKey, topic: evidence.TopicKeys, run: debianWeak},
	{causes: []cause.ID{cause.KeyKnownCompromised}, needs: needKey, topic: evidence.TopicKeys, run: knownCompromised},
	{causes: []cause.ID{cause.KeyBelongsToService}, needs: needKey, topic: evidence.TopicKeys, run: belongsToService},
	{causes: []cause.ID{cause.KeyGeneratedByService}, needs: needKey, also: []evidence.Topic{evidence.TopicKeys}, run: generatedByService},
	{causes: []cause.ID{cause.KeyGeneratedByService}, run: generatedOnDemand},
	{causes: []cause.ID{cause.KeyReused}, needs: needKey, topic: evidence.TopicOrders, run: keyReused},
}

// curves are the curves accepted for this order.
func (f *facts) curves() []string {
	if f.Order.Kind == order.Reissue {
		return f.profile.Keys.ReissueCurves
	}
	return f.profile.Keys.Curves
}

func keyType(f *facts, s *sink) {
	k := f.csr.Key
	rule, oid := "", k.OID
	switch {
	case k.Type == key.RSA:
	case k.Explicit:
		rule = "explicit"
	case k.Type == key.ECDSA && k.Curve == "":
		// No curve at all: key.encoding-invalid says it.
	case k.Type == key.ECDSA && !slices.Contains(f.curves(), k.Curve):
		rule, oid = "curve", k.CurveOID
	case k.Type != key.ECDSA:
		rule = "algorithm"
	}
	if rule != "" {
		s.add(cause.KeyTypeNotAllowed, "key").
			with("rule", rule).with("type", k.Describe()).with("oid", oid).
			with("allowed", append([]string{"RSA"}, f.curves()...))
	}
}

func keyEncoding(f *facts, s *sink) {
	k := f.csr.Key
	if k.Encoding == nil || k.Type != key.RSA && k.Type != key.ECDSA {
		return // of other types the type is what is wrong
	}
	s.add(cause.KeyEncodingInvalid, "key").
		with("rule", k.Encoding.Part).with("type", k.Describe()).
		with("expected", k.Encoding.Expected).with("seen", k.Encoding.Seen)
}

// rsaSize: BR 6.1.5 for everyone, then the lengths a CA offers.
func rsaSize(f *facts, s *sink) {
	k, keys := f.csr.Key, &f.profile.Keys
	if k.N == nil {
		return
	}
	allowed, ok := keys.RSABitsByPlan[f.Order.Plan]
	if !ok {
		allowed = keys.RSABits
	}
	bits, longest, rule := k.Bits(), key.MaxRSABits, ""
	if keys.RSAMaxBits > 0 {
		longest = min(longest, keys.RSAMaxBits)
	}
	switch {
	case len(allowed) > 0 && !slices.Contains(allowed, bits):
		rule = "listed"
	case bits < keys.RSAMinBits:
		rule = "short"
	case bits%8 != 0:
		rule = "multiple"
	case bits > longest:
		rule = "long"
	}
	if rule == "" {
		return
	}
	d := s.add(cause.KeyRSASizeNotAllowed, "key").with("rule", rule).with("bits", bits)
	switch rule {
	case "listed":
		d.with("allowed", numbers(allowed))
	case "short":
		d.with("limit", keys.RSAMinBits)
	case "long":
		d.with("limit", longest)
	}
}

func numbers(list []int) []string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return texts
}

// rsaExponent: BR 6.1.6 demands an odd exponent of at least 3 and recommends
// 2^16+1 to 2^256−1; RFC 8017 3.1 demands less than the modulus.
func rsaExponent(f *facts, s *sink) {
	k := f.csr.Key
	if k.N == nil {
		return
	}
	rule := ""
	var conditions []string
	switch {
	case k.E.Bit(0) == 0:
		rule = "even"
	case k.E.Cmp(big.NewInt(3)) < 0:
		rule = "small"
	case k.E.Cmp(k.N) >= 0:
		rule = "large"
	case len(f.profile.Keys.RSAExponents) > 0:
		if !k.E.IsInt64() || !slices.Contains(f.profile.Keys.RSAExponents, int(k.E.Int64())) {
			rule = "listed"
		}
	case k.E.Cmp(big.NewInt(1<<16+1)) < 0 || k.E.BitLen() > 256:
		rule, conditions = "unusual", []string{"odd"}
	}
	if rule == "" {
		return
	}
	s.add(cause.KeyRSAExponentNotAllowed, "key", conditions...).
		with("rule", rule).with("exponent", exponentText(k.E)).
		with("allowed", numbers(f.profile.Keys.RSAExponents))
}

// exponentText writes a number in full up to 20 digits, else by its length.
func exponentText(e *big.Int) string {
	if e.BitLen() > 64 {
		return "2^" + strconv.Itoa(e.BitLen()-1) + "…"
	}
	return e.String()
}

// rsaModulus: the tests of BR 6.1.6 (SP 800-89 5.3.3) and those of badkeys that
// real keys have failed. A modulus of a length that is not even examined is
// refused by rsaSize.
func rsaModulus(f *facts, s *sink) {
	if f.csr.Key.N == nil {
		return
	}
	w := f.weakness(f.profile.Keys.FermatRounds)
	var failed []string
	tests := f.profile.Keys.ModulusTests
	check := func(test, name string, found bool) {
		if found && slices.Contains(tests, test) {
			failed = append(failed, name)
		}
	}
	check("factors", "even", w.Even)
	check("factors", "factor", w.SmallFactor)
	check("power", "power", w.Power)
	check("pattern", "pattern", w.Pattern)
	check("small-exponent", "small-exponent", w.SmallExponent)
	shared := f.keyHits("shared-factor")
	check("shared", "shared", len(shared) > 0)
	if f.mode == Attempt && len(failed) == 0 && slices.Contains(tests, "prime") {
		check("prime", "prime", f.modulusPrime())
	}
	if len(failed) == 0 {
		return
	}
	d := s.add(cause.KeyRSAModulusWeak, "key").with("tests", failed)
	if len(shared) > 0 {
		d.from(f, evidence.TopicKeys)
	}
}

func closePrimes(f *facts, s *sink) {
	rounds := f.profile.Keys.FermatRounds
	if f.csr.Key.N == nil || rounds == 0 {
		return
	}
	if round := f.weakness(rounds).FermatRound; round > 0 && round <= rounds {
		s.add(cause.KeyClosePrimes, "key").with("rounds", round).with("limit", rounds)
	}
}

func roca(f *facts, s *sink) {
	if f.csr.Key.N != nil && f.weakness(f.profile.Keys.FermatRounds).ROCA {
		s.add(cause.KeyROCA, "key").with("bits", f.csr.Key.Bits())
	}
}
