module assay/internal/gen/data

go 1.26.0

replace assay => ../../..

require (
	assay v0.0.0
	github.com/weppos/publicsuffix-go v0.50.4-0.20260507075217-1bd47f85b3da
	go.mau.fi/util v0.9.4
)

require (
	github.com/pelletier/go-toml/v2 v2.4.3 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
