package iso

import "testing"

func TestCountries(t *testing.T) {
	t.Parallel()
	if n := len(countries()); n != 249 {
		t.Errorf("%d countries, ISO 3166-1 assigns 249", n)
	}
	for _, code := range []string{"CN", "US", "GB", "DE", "HK", "TW", "MO", "AX", "SS", "XK"} {
		if got, want := IsCountry(code), code != "XK"; got != want {
			t.Errorf("IsCountry(%s) = %v", code, got)
		}
	}
	for _, code := range []string{"", "cn", "UK", "EU", "XX", "CHN", "C", "中国", "ZZ"} {
		if IsCountry(code) {
			t.Errorf("IsCountry(%q)", code)
		}
	}
}

func TestSuggestCountry(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"cn": "CN", " CN ": "CN", "ＣＮ": "CN", "China": "CN", "CHINA": "CN", "P.R. China": "CN", "中国": "CN",
		"UK": "GB", "England": "GB", "USA": "US", "U.S.A.": "US", "Germany": "DE", "deutschland": "DE",
		"Hong Kong": "HK", "Viet Nam": "VN", "Côte d'Ivoire": "CI",
		"": "", "-": "", "Atlantis": "", "XX": "",
	} {
		if got := SuggestCountry(text); got != want {
			t.Errorf("SuggestCountry(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestProvinces(t *testing.T) {
	t.Parallel()
	if n := len(parseSubdivisions(chineseProvinces)); n != 34 {
		t.Errorf("%d Chinese provinces, want 34", n)
	}
	cases := []struct {
		country, text string
		want          bool
	}{
		{"CN", "Guangdong", true},
		{"CN", "guangdong province", true},
		{"CN", "Guang Dong", true},
		{"CN", "GD", true},
		{"CN", "CN-GD", true},
		{"CN", "广东", true},
		{"CN", "广东省", true},
		{"CN", "廣東省", true},
		{"CN", "Guangdong Sheng", true},
		{"CN", "Beijing", true},
		{"CN", "Beijing Shi", true},
		{"CN", "北京市", true},
		{"CN", "Beijing Municipality", true},
		{"CN", "Guangxi Zhuang Autonomous Region", true},
		{"CN", "广西壮族自治区", true},
		{"CN", "Guangxi Zhuangzu Zizhiqu", true},
		{"CN", "新疆维吾尔自治区", true},
		{"CN", "Xinjiang Uygur Autonomous Region", true},
		{"CN", "Xinjiang", true},
		{"CN", "内蒙古自治区", true},
		{"CN", "Inner Mongolia Autonomous Region", true},
		{"CN", "Nei Mongol", true},
		{"CN", "Hong Kong SAR", true},
		{"CN", "香港特别行政区", true},
		{"CN", "Shaanxi", true},
		{"CN", "Shanxi", true},
		{"CN", "宁夏回族自治区", true},
		{"CN", "西藏自治区", true},
		{"CN", "Shenzhen", false},
		{"CN", "深圳市", false},
		{"CN", "Some-State", false},
		{"CN", "省", false},
		{"CN", "Sheng", false},
		{"CN", "", false},
		{"CN", "California", false},
		{"US", "California", true},
		{"US", "CA", true},
		{"US", "New York State", true},
		{"US", "Ontario", false},
		{"CA", "Québec", true},
		{"CA", "ON", true},
		{"CA", "California", false},
		{"DE", "anything", true},
	}
	for _, c := range cases {
		if got := IsProvince(c.country, c.text); got != c.want {
			t.Errorf("IsProvince(%s, %q) = %v, want %v", c.country, c.text, got, c.want)
		}
	}
}

func TestSuggestProvince(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Guangdon": "Guangdong", "Guangdng Province": "Guangdong", "Heilongjian": "Heilongjiang",
		"Shenzhen": "", "Hubai": "", "": "", // two provinces are as near to Hubai
	} {
		if got := SuggestProvince("CN", text); got != want {
			t.Errorf("SuggestProvince(%q) = %q, want %q", text, got, want)
		}
	}
}

// Two provinces must not share a spelling: the code HE would otherwise be read
// as whichever came last.
func TestSpellingsAreUnique(t *testing.T) {
	t.Parallel()
	for country, file := range provinceFiles {
		owner := map[string]string{}
		for _, s := range parseSubdivisions(file) {
			for _, spelling := range append([]string{s.code, s.name}, s.others...) {
				key := foldProvince(country, spelling)
				if owner[key] != "" && owner[key] != s.code {
					t.Errorf("%s: %q is %s and %s", country, spelling, owner[key], s.code)
				}
				owner[key] = s.code
			}
		}
	}
}
