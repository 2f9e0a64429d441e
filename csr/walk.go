package csr

import (
	"bytes"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"assay/internal/der"
	"assay/key"
)

// Contents of object identifiers.
const (
	oidExtensionRequest  = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"
	oidChallengePassword = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"
)

// walk reads CertificationRequest (RFC 2986 4.2).
func (r *Request) walk(raw []byte) *der.Error {
	top := der.NewReader(raw)
	whole, err := top.Expect(der.Sequence, "the request")
	if err != nil {
		return err
	}
	if err := top.Done("the request"); err != nil {
		return err
	}
	in := whole.Inside()
	info, err := in.Expect(der.Sequence, "certificationRequestInfo")
	if err != nil {
		return err
	}
	algorithm, err := in.Expect(der.Sequence, "signatureAlgorithm")
	if err != nil {
		return err
	}
	signature, err := in.Expect(der.BitString, "the signature")
	if err != nil {
		return err
	}
	if err := in.Done("the signature"); err != nil {
		return err
	}
	r.signed = info.Raw
	if r.signature, err = signature.Bits("the signature"); err != nil {
		return err
	}
	if err := r.walkAlgorithm(&algorithm); err != nil {
		return err
	}
	return r.walkInfo(&info)
}

func (r *Request) walkAlgorithm(algorithm *der.Element) *der.Error {
	in := algorithm.Inside()
	oid, err := in.Expect(der.OID, "signatureAlgorithm")
	if err != nil {
		return err
	}
	if !der.ValidOID(oid.Body) {
		return malformed(&oid, "the signature algorithm is not an object identifier")
	}
	if !in.Empty() {
		parameters, err := in.Next()
		if err != nil {
			return err
		}
		r.parameters = parameters.Raw
	}
	if err := in.Done("the parameters of signatureAlgorithm"); err != nil {
		return err
	}
	r.Signature = algorithmOf(oid.Body, r.parameters)
	return nil
}

func malformed(e *der.Element, message string) *der.Error {
	return &der.Error{Offset: e.Offset, Message: message}
}

// walkInfo reads CertificationRequestInfo.
func (r *Request) walkInfo(info *der.Element) *der.Error {
	in := info.Inside()
	version, err := in.Expect(der.Integer, "the version")
	if err != nil {
		return err
	}
	number, err := version.Unsigned("the version")
	if err != nil {
		return err
	}
	if len(number) > 1 {
		return malformed(&version, "the version is not 0")
	}
	if len(number) == 1 {
		r.Version = int(number[0])
	}
	subject, err := in.Expect(der.Sequence, "the subject")
	if err != nil {
		return err
	}
	if err := r.walkSubject(&subject); err != nil {
		return err
	}
	spki, err := in.Expect(der.Sequence, "the public key")
	if err != nil {
		return err
	}
	public, keyError := key.Parse(spki.Raw)
	if keyError != nil {
		return malformed(&spki, "the public key cannot be read: "+keyError.Error())
	}
	r.Key = public
	if in.Empty() {
		return &der.Error{Offset: in.Offset(), Message: "the attributes are missing, which must be there even if empty (RFC 2986 4.1)"}
	}
	attributes, err := in.Expect(der.Context0, "the attributes")
	if err != nil {
		return err
	}
	if err := in.Done("the attributes"); err != nil {
		return err
	}
	list := attributes.Inside()
	for !list.Empty() {
		attribute, err := list.Expect(der.Sequence, "an attribute")
		if err != nil {
			return err
		}
		if err := r.walkAttribute(&attribute); err != nil {
			return err
		}
	}
	return nil
}

// walkSubject reads a Name (RFC 5280 4.1.2.4).
func (r *Request) walkSubject(subject *der.Element) *der.Error {
	list := subject.Inside()
	for !list.Empty() {
		set, err := list.Expect(der.Set, "a part of the subject")
		if err != nil {
			return err
		}
		parts := set.Inside()
		for !parts.Empty() {
			part, err := parts.Expect(der.Sequence, "an attribute of the subject")
			if err != nil {
				return err
			}
			in := part.Inside()
			oid, err := in.Expect(der.OID, "the type of an attribute")
			if err != nil {
				return err
			}
			value, err := in.Next()
			if err != nil {
				return err
			}
			if err := in.Done("an attribute of the subject"); err != nil {
				return err
			}
			if !der.ValidOID(oid.Body) {
				return malformed(&oid, "the type of an attribute is not an object identifier")
			}
			a := Attribute{OID: der.OIDString(oid.Body)}
			if a.Name = attributeNames[a.OID]; a.Name == "" {
				a.Name = a.OID
			}
			var ok bool
			if a.Value, ok = text(&value); !ok {
				return malformed(&value, "the subject's "+a.Name+" holds characters that its string type does not allow")
			}
			r.Subject = append(r.Subject, a)
		}
	}
	return nil
}

// attributeNames are short names as RFC 4514 and OpenSSL write them.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C", "2.5.4.8": "ST", "2.5.4.7": "L",
	"2.5.4.9": "street", "2.5.4.17": "postalCode", "2.5.4.5": "serialNumber", "2.5.4.4": "SN",
	"2.5.4.42": "GN", "2.5.4.12": "title", "2.5.4.13": "description", "2.5.4.15": "businessCategory",
	"2.5.4.97": "organizationIdentifier", "1.2.840.113549.1.9.1": "emailAddress",
	"1.2.840.113549.1.9.2": "unstructuredName", "1.2.840.113549.1.9.8": "unstructuredAddress",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
	"1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL", "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
	"1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}

// text reads a DirectoryString or another ASN.1 string; ok is false where it
// breaks the rules of its own type, as it is for crypto/x509.
func text(e *der.Element) (value string, ok bool) {
	b := e.Body
	switch e.Tag {
	case 0x0c: // UTF8String
		return string(b), utf8.Valid(b)
	case 0x13: // PrintableString; like crypto/x509 with * and &, which are in wide use
		return string(b), !slices.ContainsFunc(b, func(c byte) bool { return !printable(c) })
	case 0x12: // NumericString
		return string(b), !slices.ContainsFunc(b, func(c byte) bool { return (c < '0' || c > '9') && c != ' ' })
	case 0x16: // IA5String
		return string(b), ascii(b)
	case 0x14: // T61String: in practice Latin-1, or UTF-8 by mistake
		if utf8.Valid(b) {
			return string(b), true
		}
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes), true
	case 0x1e: // BMPString
		if len(b)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(units)), true
	}
	return "#" + hex.EncodeToString(e.Raw), true
}

func printable(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(" '()+,-./:=?*&", c) >= 0
}

func ascii(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 })
}

func (r *Request) walkAttribute(attribute *der.Element) *der.Error {
	in := attribute.Inside()
	oid, err := in.Expect(der.OID, "the type of an attribute")
	if err != nil {
		return err
	}
	if !der.ValidOID(oid.Body) {
		return malformed(&oid, "the type of an attribute is not an object identifier")
	}
	values, err := in.Expect(der.Set, "the values of an attribute")
	if err != nil {
		return err
	}
	if err := in.Done("the values of an attribute"); err != nil {
		return err
	}
	r.Attributes = append(r.Attributes, der.OIDString(oid.Body))
	switch string(oid.Body) {
	case oidChallengePassword:
		r.ChallengePassword = true
	case oidExtensionRequest:
		in := values.Inside()
		list, err := in.Expect(der.Sequence, "the requested extensions")
		if err != nil {
			return err
		}
		if err := in.Done("the requested extensions"); err != nil {
			return err
		}
		return r.walkExtensions(&list)
	}
	return nil
}

func (r *Request) walkExtensions(list *der.Element) *der.Error {
	in := list.Inside()
	for !in.Empty() {
		extension, err := in.Expect(der.Sequence, "an extension")
		if err != nil {
			return err
		}
		parts := extension.Inside()
		oid, err := parts.Expect(der.OID, "the type of an extension")
		if err != nil {
			return err
		}
		if !der.ValidOID(oid.Body) {
			return malformed(&oid, "the type of an extension is not an object identifier")
		}
		e := Extension{OID: der.OIDString(oid.Body)}
		if parts.Peek() == der.Boolean {
			critical, err := parts.Next()
			if err != nil {
				return err
			}
			if len(critical.Body) != 1 || critical.Body[0] != 0 && critical.Body[0] != 0xff {
				return malformed(&critical, "critical is neither true nor false")
			}
			e.Critical = critical.Body[0] != 0
		}
		value, err := parts.Expect(der.OctetString, "the value of an extension")
		if err != nil {
			return err
		}
		if err := parts.Done("the value of an extension"); err != nil {
			return err
		}
		e.Value = value.Body
		if slices.ContainsFunc(r.Extensions, func(x Extension) bool { return x.OID == e.OID }) {
			return malformed(&extension, "the extension "+e.OID+" is there twice")
		}
		r.Extensions = append(r.Extensions, e)
		if err := r.readExtension(&e); err != nil {
			// Offsets inside a value count from its beginning.
			err.Offset += value.Offset + len(value.Raw) - len(value.Body)
			return err
		}
	}
	return nil
}

// readExtension understands the extensions that rules look at. Only a subject
// alternative name that cannot be read is an error, as for crypto/x509.
func (r *Request) readExtension(e *Extension) *der.Error {
	switch e.OID {
	case OIDSubjectAltName:
		return r.walkSANs(e.Value)
	case OIDExtKeyUsage:
		for _, usage := range sequence(e.Value) {
			if usage.Tag == der.OID && der.ValidOID(usage.Body) {
				r.EKUs = append(r.EKUs, der.OIDString(usage.Body))
			}
		}
	case OIDBasicConstraints:
		for _, field := range sequence(e.Value) {
			r.CA = r.CA || field.Tag == der.Boolean && len(field.Body) == 1 && field.Body[0] != 0
		}
	case OIDTLSFeature:
		for _, feature := range sequence(e.Value) {
			r.MustStaple = r.MustStaple || feature.Tag == der.Integer && bytes.Equal(feature.Body, []byte{5})
		}
	}
	return nil
}

// sequence returns the elements of a SEQUENCE as far as they can be read.
func sequence(raw []byte) (elements []der.Element) {
	top := der.NewReader(raw)
	whole, err := top.Expect(der.Sequence, "")
	if err != nil {
		return nil
	}
	for in := whole.Inside(); !in.Empty(); {
		e, err := in.Next()
		if err != nil {
			break
		}
		elements = append(elements, e)
	}
	return elements
}

// walkSANs reads GeneralNames (RFC 5280 4.2.1.6).
func (r *Request) walkSANs(raw []byte) *der.Error {
	top := der.NewReader(raw)
	whole, err := top.Expect(der.Sequence, "subjectAltName")
	if err != nil {
		return err
	}
	if err := top.Done("subjectAltName"); err != nil {
		return err
	}
	for in := whole.Inside(); !in.Empty(); {
		e, err := in.Next()
		if err != nil {
			return err
		}
		s, message := sanOf(&e)
		if message != "" {
			return malformed(&e, message)
		}
		r.SANs = append(r.SANs, s)
	}
	return nil
}

func sanOf(e *der.Element) (s SAN, wrong string) {
	switch e.Tag {
	case 0x81:
		s.Kind = "email"
	case 0x82:
		s.Kind = "dns"
	case 0x86:
		s.Kind = "uri"
	case 0x87:
		value, ok := addressText(e.Body)
		if !ok {
			return s, "an IP address in subjectAltName has neither 4 nor 16 bytes"
		}
		return SAN{"ip", value}, ""
	case 0xa4:
		return SAN{Kind: "directory"}, ""
	case 0x88:
		return SAN{Kind: "registered-id", Value: der.OIDString(e.Body)}, ""
	default:
		return SAN{Kind: "other"}, ""
	}
	if !ascii(e.Body) {
		return s, "a name in subjectAltName is not ASCII"
	}
	s.Value = string(e.Body)
	if s.Kind == "uri" {
		if _, err := url.Parse(s.Value); err != nil {
			return s, "a URI in subjectAltName cannot be read"
		}
	}
	return s, ""
}
