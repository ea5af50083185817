module github.com/stocktake/stocktake/interop

go 1.26.0

replace github.com/stocktake/stocktake => ../

require (
	github.com/aliyun/alibabacloud-oss-go-sdk-v2 v1.6.1
	github.com/google/go-cmp v0.7.0
	github.com/stocktake/stocktake v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.49.0
)

require (
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/time v0.4.0 // indirect
)
