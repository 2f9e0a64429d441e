package iso

import (
	"strings"
	"sync"
)

// A subdivision is a province or state: its ISO 3166-2 code without the country,
// its usual English name and other ways of writing it.
type subdivision struct {
	code, name string
	others     []string
}

// HasProvinces reports whether the provinces of a country are known here.
func HasProvinces(country string) bool {
	return provinceFiles[country] != ""
}

// IsProvince reports whether a text names a province or state of a country:
// its name in English, pinyin or Chinese, with or without "Province",
// "Autonomous Region", 省 and the like, or its ISO 3166-2 code. It is true for a
// country whose provinces are not known here.
func IsProvince(country, text string) bool {
	if !HasProvinces(country) {
		return true
	}
	if len(text) > maxNameBytes {
		return false
	}
	_, ok := provinces()[country][foldProvince(country, text)]
	return ok
}

// SameProvince reports whether two texts name the same province of a country
// whose provinces are known here.
func SameProvince(country, a, b string) bool {
	if len(a) > maxNameBytes || len(b) > maxNameBytes {
		return false
	}
	known := provinces()[country]
	name, ok := known[foldProvince(country, a)]
	return ok && name == known[foldProvince(country, b)]
}

// SuggestProvince returns the province a person probably means, where exactly
// one is at most two letters away; "" when unclear.
func SuggestProvince(country, text string) string {
	if len(text) > maxNameBytes {
		return ""
	}
	folded, found := foldProvince(country, text), ""
	for key, name := range provinces()[country] {
		if len(key) > 4 && distance(key, folded) <= 2 {
			if found != "" && found != name {
				return ""
			}
			found = name
		}
	}
	return found
}

// provinces maps the folded spellings of each country to the usual name.
var provinces = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for country, file := range provinceFiles {
		all[country] = map[string]string{}
		for _, s := range parseSubdivisions(file) {
			for _, spelling := range append([]string{s.code, country + s.code, s.name}, s.others...) {
				all[country][foldProvince(country, spelling)] = s.name
			}
		}
	}
	return all
})

func parseSubdivisions(file string) []subdivision {
	var list []subdivision
	for line := range strings.Lines(file) {
		code, names, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		spellings := strings.Split(names, "|")
		list = append(list, subdivision{code: code, name: spellings[0], others: spellings[1:]})
	}
	return list
}

// The words that follow a name and say only what kind of place it is, longest first.
var placeKinds = map[string][]string{
	"CN": {
		"zhuangautonomousregion", "huiautonomousregion", "uygurautonomousregion", "uyghurautonomousregion",
		"weiwuerzizhiqu", "zhuangzuzizhiqu", "huizuzizhiqu", "specialadministrativeregion", "autonomousregion",
		"zizhiqu", "municipality", "province", "sheng", "city", "shi", "sar",
		"维吾尔自治区", "壮族自治区", "回族自治区", "特别行政区", "自治区", "省", "市",
	},
	"US": {"state"},
	"CA": {"province", "territory"},
}

// foldProvince folds a spelling and cuts off the kind of place, unless nothing
// would remain.
func foldProvince(country, text string) string {
	folded := fold(text)
	for _, kind := range placeKinds[country] {
		if rest, ok := strings.CutSuffix(folded, kind); ok && rest != "" {
			return rest
		}
	}
	return folded
}

// distance is the number of letters to insert, remove or replace; both texts
// are at most maxNameBytes long, and it gives up at a difference of length above 2.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d > 2 || d < -2 {
		return 3
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}

var provinceFiles = map[string]string{"CN": chineseProvinces, "US": americanStates, "CA": canadianProvinces}

// ISO 3166-2:CN. Names in English or pinyin, then other spellings, then Chinese.
const chineseProvinces = `
AH Anhui|Anhwei|安徽
BJ Beijing|Peking|北京
CQ Chongqing|Chungking|重庆|重慶
FJ Fujian|Fukien|福建
GD Guangdong|Canton|Kwangtung|广东|廣東
GS Gansu|Kansu|甘肃|甘肅
GX Guangxi|Kwangsi|Guangxi Zhuangzu|广西|廣西
GZ Guizhou|Kweichow|贵州|貴州
HA Henan|Honan|河南
HB Hubei|Hupeh|湖北
HE Hebei|Hopeh|河北
HI Hainan|海南
HK Hong Kong|Xianggang|Hongkong|香港
HL Heilongjiang|Heilungkiang|黑龙江|黑龍江
HN Hunan|湖南
JL Jilin|Kirin|吉林
JS Jiangsu|Kiangsu|江苏|江蘇
JX Jiangxi|Kiangsi|江西
LN Liaoning|辽宁|遼寧
MO Macao|Macau|Aomen|澳门|澳門
NM Inner Mongolia|Nei Mongol|Neimenggu|Nei Menggu|Inner Mongol|内蒙古|內蒙古
NX Ningxia|Ningsia|Ningxia Huizu|宁夏|寧夏
QH Qinghai|Tsinghai|青海
SC Sichuan|Szechwan|Szechuan|四川
SD Shandong|Shantung|山东|山東
SH Shanghai|上海
SN Shaanxi|Shensi|陕西|陝西
SX Shanxi|Shansi|山西
TJ Tianjin|Tientsin|天津
TW Taiwan|台湾|臺灣|台灣
XJ Xinjiang|Sinkiang|Xinjiang Uygur|Xinjiang Uyghur|Xinjiang Weiwuer|新疆|新疆维吾尔
XZ Tibet|Xizang|西藏
YN Yunnan|云南|雲南
ZJ Zhejiang|Chekiang|浙江
`

// ISO 3166-2:US: states, the district, the outlying areas and the military post.
const americanStates = `
AL Alabama
AK Alaska
AZ Arizona
AR Arkansas
CA California
CO Colorado
CT Connecticut
DE Delaware
FL Florida
GA Georgia
HI Hawaii
ID Idaho
IL Illinois
IN Indiana
IA Iowa
KS Kansas
KY Kentucky
LA Louisiana
ME Maine
MD Maryland
MA Massachusetts
MI Michigan
MN Minnesota
MS Mississippi
MO Missouri
MT Montana
NE Nebraska
NV Nevada
NH New Hampshire
NJ New Jersey
NM New Mexico
NY New York
NC North Carolina
ND North Dakota
OH Ohio
OK Oklahoma
OR Oregon
PA Pennsylvania
RI Rhode Island
SC South Carolina
SD South Dakota
TN Tennessee
TX Texas
UT Utah
VT Vermont
VA Virginia
WA Washington
WV West Virginia
WI Wisconsin
WY Wyoming
DC District of Columbia|Washington DC|Washington, D.C.
AS American Samoa
GU Guam
MP Northern Mariana Islands
PR Puerto Rico
UM United States Minor Outlying Islands
VI Virgin Islands|US Virgin Islands|U.S. Virgin Islands
AA Armed Forces Americas
AE Armed Forces Europe
AP Armed Forces Pacific
`

// ISO 3166-2:CA, English and French.
const canadianProvinces = `
AB Alberta
BC British Columbia|Colombie-Britannique
MB Manitoba
NB New Brunswick|Nouveau-Brunswick
NL Newfoundland and Labrador|Newfoundland|Terre-Neuve-et-Labrador
NS Nova Scotia|Nouvelle-Écosse
NT Northwest Territories|Territoires du Nord-Ouest
NU Nunavut
ON Ontario
PE Prince Edward Island|PEI|Île-du-Prince-Édouard
QC Quebec|Québec
SK Saskatchewan
YT Yukon|Yukon Territory
`
