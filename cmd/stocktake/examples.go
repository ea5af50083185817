package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// examples are what --help shows of each command, by its words. Those that need
// no place of their own are run by testdata/script/examples.txtar.
var examples = map[string]string{
	"serve": `
stocktake serve
stocktake serve --data /srv/stocktake --listen 0.0.0.0:9000 --tls-cert cert.pem --tls-key key.pem
stocktake serve --config stocktake.yaml`,
	"migrate": `
stocktake migrate --database postgres://stocktake@db.example.com/stocktake
stocktake migrate --import /srv/stocktake
stocktake migrate --check`,
	"ready": `
stocktake ready
stocktake ready --json`,
	"demo": `
stocktake demo
stocktake demo --from ~/projects --exit`,

	"take": `
stocktake take s3://photos ./report
stocktake take s3://photos/raw/ s3://reports/inv --versions All --profile prod
stocktake take oss://photos ./report --estimate
stocktake take oss://photos ./report --endpoint http://127.0.0.1:9000 --min-size 1048576`,

	"inventory put": `
stocktake inventory put -b photos -i daily --destination reports --destination-prefix inv
stocktake inventory put -b photos -f weekly.yaml --replace`,
	"inventory get": `
stocktake inventory get -b photos -i daily
stocktake inventory get -b photos -i daily --output xml`,
	"inventory list":    `stocktake inventory list -b photos`,
	"inventory delete":  `stocktake inventory delete -b photos -i daily`,
	"inventory run":     `stocktake inventory run -b photos -i daily --wait`,
	"inventory cancel":  `stocktake inventory cancel -b photos -i daily`,
	"inventory runs":    `stocktake inventory runs -b photos -i daily`,
	"inventory suspend": `stocktake inventory suspend -b photos -i daily`,
	"inventory resume":  `stocktake inventory resume -b photos -i daily`,
	"inventory retain": `
stocktake inventory retain -b photos -i daily --reports 7
stocktake inventory retain -b photos -i daily --reports 7 --days 30
stocktake inventory retain -b photos -i daily --all`,
	"inventory check": `stocktake inventory check -b photos -i daily`,
	"inventory status": `
stocktake inventory status -b photos
stocktake inventory status --all --watch
stocktake inventory status --all --work`,

	"report ls": `stocktake report ls oss://reports/inv`,
	"report show": `
stocktake report show oss://reports/inv/photos/daily
stocktake report show ./downloads/daily --rows 3`,
	"report find": `
stocktake report find oss://reports/inv/photos/daily raw/a.jpg
stocktake report find ./downloads/daily raw/ --columns Key,Size --json`,
	"report cat": `
stocktake report cat oss://reports/inv/photos/daily
stocktake report cat ./downloads/daily -o table --columns Size,Key --min-size 1K --limit 20
stocktake report cat ./downloads/daily --json --prefix raw/ --since 30d`,
	"report diff": `
stocktake report diff ./downloads/daily oss://reports/inv/photos/daily
stocktake report diff ./downloads/daily oss://reports/inv/photos/daily --summary --depth 2 --columns Size,ETag
stocktake report diff ./downloads/daily --against oss://photos`,
	"report browse": `
stocktake report browse oss://reports/inv/photos/daily
stocktake report browse ./tuesday --since ./monday`,
	"report apply": `
stocktake report apply oss://reports/inv/photos/daily --output ./now
stocktake report apply ./downloads/daily ./downloads --output ./now --format Parquet`,
	"report convert": `
stocktake report convert ./downloads/daily ./large --min-size 1K --columns Size,StorageClass
stocktake report convert oss://reports/inv/photos/daily oss://reports/copy --format CSV`,
	"report summary": `
stocktake report summary oss://reports/inv/photos/daily
stocktake report summary ./downloads/daily --by prefix --depth 2 --top 20
stocktake report summary ./downloads/daily --by class --by age --json`,
	"report verify": `
stocktake report verify oss://reports/inv/photos/daily
stocktake report verify ./downloads/daily
stocktake report verify ./downloads/daily --all --hashes`,

	"object put": `
stocktake object put a.jpg b.jpg oss://photos/raw/
stocktake object put --recursive ./raw oss://photos/raw/`,
	"object get": `
stocktake object get oss://photos/raw/a.jpg
stocktake object get --recursive oss://photos/raw/ ./copy`,
	"object ls": `
stocktake object ls oss://photos
stocktake object ls --recursive oss://photos/raw/`,
	"object rm": `
stocktake object rm oss://photos/raw/b.jpg
stocktake object rm --recursive oss://photos/old/`,
	"object cp": `
stocktake object cp oss://photos/raw/a.jpg oss://photos/old/
stocktake object cp --recursive oss://photos/raw/ oss://reports/raw/`,

	"bucket create": `stocktake bucket create photos reports`,
	"bucket list":   `stocktake bucket list`,
	"bucket delete": `
stocktake bucket delete photos
stocktake bucket delete photos --force`,

	"key list": `stocktake key list`,
	"key create": `
stocktake key create --user alice
stocktake key create --user alice --json`,
	"key disable": `stocktake key disable LTAI5tExampleOfAKeyId`,
	"key enable":  `stocktake key enable LTAI5tExampleOfAKeyId`,
	"key delete":  `stocktake key delete LTAI5tExampleOfAKeyId`,
	"key root": `
stocktake key root --data /srv/stocktake
stocktake key root --database postgres://stocktake@db.example.com/stocktake --master-key-file master.key`,

	"user list":   `stocktake user list`,
	"user create": `stocktake user create alice`,
	"user delete": `stocktake user delete alice`,
	"user attach": `stocktake user attach alice AliyunOSSReadOnlyAccess`,
	"user detach": `stocktake user detach alice AliyunOSSReadOnlyAccess`,

	"role": `
stocktake policy put write-reports reports.json
stocktake role create inventory-writer --attach write-reports`,
	"role list":   `stocktake role list`,
	"role create": `stocktake role create inventory-writer --attach write-reports`,
	"role delete": `stocktake role delete inventory-writer`,
	"role trust":  `stocktake role trust inventory-writer trust.json`,
	"role attach": `stocktake role attach inventory-writer AliyunOSSReadOnlyAccess`,
	"role detach": `stocktake role detach inventory-writer AliyunOSSReadOnlyAccess`,

	"policy list":   `stocktake policy list`,
	"policy show":   `stocktake policy show AliyunOSSReadOnlyAccess`,
	"policy put":    `stocktake policy put write-reports reports.json`,
	"policy delete": `stocktake policy delete write-reports`,

	"store audit": `stocktake store audit`,

	"store check": `
stocktake store check lake --config stocktake.yaml
stocktake store check lake -c stocktake.yaml -b lake-photos --prefix check/ --json`,
	"store list": `stocktake store list --config stocktake.yaml`,

	"store backup": `stocktake store backup nightly`,

	"store repair": `stocktake store repair`,

	"store scrub": `stocktake store scrub`,

	"kms": `
stocktake kms create reports
stocktake inventory put -b photos -i sealed --destination reports --sse-kms reports`,
	"kms create":        `stocktake kms create reports`,
	"kms list":          `stocktake kms list`,
	"kms rotate":        `stocktake kms rotate reports`,
	"kms rotate-master": `stocktake kms rotate-master --master-key-file both.key`,
	"kms disable":       `stocktake kms disable reports`,
	"kms enable":        `stocktake kms enable reports`,

	"notice list": `
stocktake notice list
stocktake notice list --all --json`,
	"notice test":  `stocktake notice test ops`,
	"notice retry": `stocktake notice retry --all`,
	"notice drop":  `stocktake notice drop --all`,

	"clock get":     `stocktake clock get`,
	"clock advance": `stocktake clock advance 720h`,
	"version":       `stocktake version`,
	"completion":    `stocktake completion bash`,
	"man":           `stocktake man`,
}

// addExamples puts the examples below the help of the commands.
func addExamples(node *kong.Node, words string) {
	for _, child := range node.Children {
		path := strings.TrimSpace(words + " " + child.Name)
		addExamples(child, path)
		lines := exampleLines(path)
		if len(lines) == 0 {
			continue
		}
		title := "Example:"
		if len(lines) > 1 {
			title = "Examples:"
		}
		child.Detail = strings.TrimSpace(child.Detail + "\n\n" + title + "\n  " + strings.Join(lines, "\n  "))
	}
}

func exampleLines(path string) []string {
	text := strings.TrimSpace(examples[path])
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
