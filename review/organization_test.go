package review

import (
	"strings"
	"testing"

	"assay/order"
	"assay/profile"
)

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"-": true, ".": true, "--": true, "N/A": true, "n.a.": true, "None": true, "xxx": true, "XXXX": true, "无": true, "暂无": true,
		"Some-State": true, "Internet Widgits Pty Ltd": true, "Default City": true, "　": true, "***": true,
		"Guangdong": false, "Nanjing": false, "Unknown Pleasures Ltd": false, "3M": false, "X": false, "无锡市": false, "Nil Desperandum Inc": false,
	} {
		if got := isPlaceholder(value, false); got != want {
			t.Errorf("isPlaceholder(%q) = %v", value, got)
		}
	}
	for value, want := range map[string]bool{"Null": false, "Na": false, "None": false, "N/A": true, "-": true, "无": true} {
		if got := isPlaceholder(value, true); got != want {
			t.Errorf("isPlaceholder(%q, person) = %v", value, got)
		}
	}
}

func TestPostBoxOnly(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"P.O. Box 1234": true, "PO Box 12, Shenzhen": true, "Post Office Box 7, 518000 Shenzhen, China": true,
		"深圳市邮政信箱 1234 号": true, "Postfach 10 20 30": true, "Boîte Postale 45": true, "ＰＯ Ｂｏｘ １２": true,
		"12 Fruit Street, P.O. Box 1234": false, "12 Fruit Street": false, "Boxer Road 3": false, "深圳市南山区果园路 12 号 邮政信箱 5": false,
	} {
		o := &order.Organization{Address: address, City: "Shenzhen", PostalCode: "518000", Country: "CN"}
		if strings.Contains(address, "深圳市") {
			o.City = "深圳市"
		}
		if got := postBoxOnly(o); got != want {
			t.Errorf("postBoxOnly(%q) = %v", address, got)
		}
	}
}

func TestSameName(t *testing.T) {
	t.Parallel()
	cases := []struct {
		a, b string
		want bool
	}{
		{"Orchard Co., Ltd.", "ORCHARD COMPANY LIMITED", true},
		{"Orchard & Sons Inc", "Orchard and Sons, Incorporated", true},
		{"果园科技（深圳）有限公司", "果园科技(深圳)有限公司", true},
		{"Orchard Ltd", "Orchard Inc", false},
		{"Orchard Ltd", "Orchards Ltd", false},
		{"", "", false},
		{"-", ".", false},
	}
	for _, c := range cases {
		if got := sameName(c.a, c.b); got != c.want {
			t.Errorf("sameName(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestSameAddress(t *testing.T) {
	t.Parallel()
	places := addressPlaces(&order.Organization{City: "Shenzhen", Province: "Guangdong", Country: "CN", PostalCode: "518000"})
	chinese := addressPlaces(&order.Organization{City: "深圳市", Province: "广东省", Country: "CN"})
	german := addressPlaces(&order.Organization{City: "Berlin", Country: "DE", PostalCode: "10115"})
	for _, c := range []struct {
		ordered, found string
		places         []string
		want           bool
	}{
		{"12 Fruit Street", "Guangdong, Shenzhen, 12 Fruit Street, 518000", nil, true},
		{"12 Fruit Street, Nanshan", "12 Fruit Street, Nanshan, Shenzhen", places, true},
		{"12 fruit  street; NANSHAN.", "12 Fruit Street, Nanshan, Shenzhen", places, true},
		{"12 Fruit Street Nanshan", "12 Fruit Street, Nanshan, Shenzhen", places, true},
		{"１２ Ｆｒｕｉｔ Street, Nanshan", "12 Fruit Street, Nanshan", places, true},
		{"12 King's Road", "12 Kings Road", nil, true},
		{"12 Fruit Street", "Room 501, Building B, No. 12 Fruit Street, Nanshan District, Shenzhen, Guangdong", places, true},
		{"12 Fruit Street, Nanshan, Shenzhen", "12 Fruit Street, Nanshan", places, true},
		{"12 Fruit Street Shenzhen 518000", "12 Fruit Street", places, true},
		{"Guangdong, 12 Fruit Street", "12 Fruit Street, Shenzhen, Guangdong", places, true},
		{"Fruchtstraße 12", "Fruchtstraße 12 10115 Berlin", german, true},
		{"深圳市南山区果园路12号", "广东省深圳市南山区果园路１２号", chinese, true},
		{"南山区果园路12号", "广东省深圳市南山区果园路12号", chinese, true},
		{"深圳市南山区果园路12号", "南山区果园路12号", chinese, true},
		{"果园路12号", "广东省深圳市南山区果园路12号", chinese, true},

		// Parts of words and of numbers are others.
		{"2 Fruit Street", "12 Fruit Street, Nanshan, Shenzhen", places, false},
		{"12 Fruit Street", "112 Fruit Street", places, false},
		{"2 Fruit Street", "1-2 Fruit Street, Nanshan", places, false},
		{"Fruit Street 1", "Fruit Street 1-3", places, false},
		{"12 Fruit Street", "12 Fruit Streeter Road", places, false},
		{"果园路2号", "深圳市南山区果园路12号", chinese, false},
		{"13 Fruit Street", "12 Fruit Street", places, false},
		{"Street Fruit 12", "12 Fruit Street", places, false},
		// The order's says what nobody verified.
		{"12 Fruit Street, Nanshan", "12 Fruit Street", places, false},
		{"12 Fruit Street, Nanshan, Shenzhen / Bank of China HQ", "12 Fruit Street, Nanshan, Shenzhen", places, false},
		{"12 Fruit Street, Bank of China, Nanshan", "12 Fruit Street, Nanshan, Shenzhen", places, false},
		{"12 Fruit Street, Nanshan, Beijing", "12 Fruit Street, Nanshan, Shenzhen", places, false},
		{"深圳市南山区果园路12号中国银行", "深圳市南山区果园路12号", chinese, false},
		// Too little of what was found.
		{"12 Fruit Street, Nanshan, Shenzhen", "Shenzhen", places, false},
		{"Shenzhen", "12 Fruit Street, Nanshan, Shenzhen", places, false},
		{"Shenzhen, Guangdong", "12 Fruit Street, Nanshan, Shenzhen, Guangdong", places, false},
		{"12", "12 Fruit Street", places, false},
		{"12号", "深圳市南山区果园路12号", chinese, false},
		{"12 Fruit", "12 Fruit " + strings.Repeat("House ", 20), places, false},
		{"12 Fruit Street", "", places, false},
		{"", "12 Fruit Street", places, false},
		{"-", ".", places, false},
	} {
		if got := sameAddress(c.ordered, c.found, c.places...); got != c.want {
			t.Errorf("sameAddress(%q, %q) = %v", c.ordered, c.found, got)
		}
	}
}

func TestHiddenRegistrant(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"REDACTED FOR PRIVACY": true, "Domains By Proxy, LLC": true, "Withheld for Privacy ehf": true, "-": true, "": true, "隐私保护": true,
		"Orchard Ltd": false, "Proxy Networks Inc": false,
	} {
		if got := hiddenRegistrant(value); got != want {
			t.Errorf("hiddenRegistrant(%q) = %v", value, got)
		}
	}
}

// Every path that an embedded profile requires is a field of an order: a
// misspelled one could never be filled in.
func TestRequiredFieldsExist(t *testing.T) {
	t.Parallel()
	person := &order.Contact{FirstName: "v", LastName: "v", Title: "v", Email: "v", Phone: "v"}
	full := &order.Order{
		Organization: &order.Organization{
			Name: "v", Department: "v", Country: "v", Province: "v", City: "v", Address: "v", PostalCode: "v",
			Phone: order.Phone{Country: "v", Area: "v", Number: "v"}, Website: "v", RegistrationNumber: "v",
			RegistrationScheme: "v", BusinessCategory: "v", JurisdictionCountry: "v", JurisdictionState: "v",
			JurisdictionCity: "v", ProfileID: "v",
		},
		Contacts: &order.Contacts{Administrator: person, Technical: person, AdministratorID: "v"},
	}
	for _, name := range profile.Embedded() {
		p, err := profile.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, choice := range append(append([]string{}, p.Organization.Required...), p.Organization.RequiredEV...) {
			for path := range strings.SplitSeq(choice, "|") {
				if fieldValue(full, path) == "" {
					t.Errorf("%s requires %s, which no order has", name, path)
				}
			}
		}
	}
	for _, c := range fieldChecks {
		if fieldValue(full, c.path) == "" {
			t.Errorf("a check looks at %s, which no order has", c.path)
		}
	}
}
