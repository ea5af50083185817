package console

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/console/snippet"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/inventoryxml"
)

// formData is the form of a new configuration, or of one that replaces another.
type formData struct {
	Bucket string              `json:"bucket"`
	ID     string              `json:"id,omitempty"` // of the configuration to replace; empty: a new one
	Values map[string][]string `json:"values"`
	Errors map[string]string   `json:"errors,omitempty"` // by element; "" for errors that belong to no field

	Problem string `json:"error,omitempty"` // why the server could not save a valid configuration

	XML     string      `json:"xml,omitempty"`
	Command string      `json:"-"`
	Code    string      `json:"-"`
	Fields  []formField `json:"-"`
}

// Value returns the text of a field.
func (d *formData) Value(element string) string {
	if all := d.Values[element]; len(all) > 0 {
		return all[0]
	}
	return ""
}

// Has reports whether a field has the value.
func (d *formData) Has(element, value string) bool {
	return slices.Contains(d.Values[element], value) || value == "" && len(d.Values[element]) == 0
}

// Error returns the error of a field.
func (d *formData) Error(element string) string { return d.Errors[element] }

// newInventory shows an empty form.
func (v *visit) newInventory() (*page, error) {
	owner, err := v.owner()
	if err != nil {
		return nil, err
	}
	cfg := stocktake.InventoryConfiguration{
		IsEnabled: true, IncludedObjectVersions: stocktake.CurrentVersions,
		Schedule: stocktake.Schedule{Frequency: stocktake.Daily},
		Destination: stocktake.Destination{
			Format: stocktake.FormatCSV, AccountID: owner, RoleARN: "acs:ram::" + owner + ":role/AliyunOSSRole", Bucket: v.bucket(), Prefix: "inventory",
		},
		OptionalFields: []stocktake.Field{
			stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass,
		},
	}
	data := &formData{Bucket: v.bucket(), Values: formValues(&cfg), Errors: map[string]string{}}
	v.preview(data, &cfg)
	return v.formPage(data), nil
}

// changeInventory shows the form for replacing a configuration.
func (v *visit) changeInventory() (*page, error) {
	cfg, err := v.client.Get(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	data := &formData{Bucket: v.bucket(), ID: v.id(), Values: formValues(&cfg), Errors: map[string]string{}}
	v.preview(data, &cfg)
	return v.formPage(data), nil
}

func (v *visit) formPage(d *formData) *page {
	d.Fields = fieldsOf(d.Values[classElement], v.ofS3())
	p := &page{Template: "form", Title: "New inventory", Trail: trail(d.Bucket, d.ID), Data: d}
	if d.ID != "" {
		p.Title = "Change " + human.Visible(d.ID)
	}
	if len(d.Errors) > 0 {
		p.Status = http.StatusUnprocessableEntity
	}
	return p
}

// ofS3 reports whether the bucket has the storage classes of S3.
func (v *visit) ofS3() bool {
	info, err := v.oss.GetBucketInfo(v.ctx, &oss.GetBucketInfoRequest{Bucket: oss.Ptr(v.bucket())})
	return err == nil && oss.ToString(info.BucketInfo.StorageClass) == stocktake.S3Standard.String()
}

// owner returns the account that owns the bucket. It also checks that the user may
// read the configurations of the bucket. It reads only one of them, because a
// bucket may have a thousand and the form is checked while the user types.
func (v *visit) owner() (string, error) {
	if _, err := v.client.Status(v.ctx, v.bucket(), "any"); err != nil && !errors.Is(err, stocktake.ErrNoSuchInventory) {
		return "", err
	}
	info, err := v.oss.GetBucketInfo(v.ctx, &oss.GetBucketInfoRequest{Bucket: oss.Ptr(v.bucket())})
	if err == nil && info.BucketInfo.Owner != nil && oss.ToString(info.BucketInfo.Owner.ID) != "" {
		return oss.ToString(info.BucketInfo.Owner.ID), nil
	}
	if v.Account != "" {
		return v.Account, nil
	}
	return v.who.Account, nil
}

// checkForm answers with the part of the form's page that depends on the input: the
// errors by the rules of the API, and the preview.
func (v *visit) checkForm() (*page, error) {
	owner, err := v.owner()
	if err != nil {
		return nil, err
	}
	id := v.r.PostForm.Get("replaces")
	data := &formData{Bucket: v.bucket(), ID: id, Fields: formFields}
	v.readForm(data, owner)
	return &page{Template: "form", Fragment: "verdict", Data: data}, nil
}

// readForm reads the form, applies the rules of the API to it, and fills in the
// errors and the preview.
func (v *visit) readForm(d *formData, owner string) (cfg stocktake.InventoryConfiguration, ok bool) {
	d.Values = v.r.PostForm
	cfg, d.Errors = parseForm(v.r.PostForm)
	if d.ID != "" {
		cfg.ID = d.ID
	}
	if len(d.Errors) == 0 {
		doc := inventoryxml.Append(nil, &cfg)
		parsed, err := inventoryxml.ParsePut(doc, stocktake.InventoryRules{ID: cfg.ID, AccountID: owner})
		if err != nil {
			d.refuse(err)
		} else {
			cfg = parsed
			v.checkDestination(d, &cfg)
		}
	}
	v.preview(d, &cfg)
	return cfg, len(d.Errors) == 0
}

// checkDestination adds an error if the destination does not exist. It adds none if
// the key has no right to check.
func (v *visit) checkDestination(d *formData, cfg *stocktake.InventoryConfiguration) {
	_, err := v.oss.GetBucketInfo(v.ctx, &oss.GetBucketInfoRequest{Bucket: oss.Ptr(cfg.Destination.Bucket)})
	if serr, ok := serviceError(err); ok && serr.Code == "NoSuchBucket" {
		d.Errors[destinationElement+"Bucket"] = "there is no such bucket"
	}
}

// refuse adds an error of the API to the field that it concerns.
func (d *formData) refuse(err error) {
	element, text := "", err.Error()
	if bad, ok := errors.AsType[*stocktake.InvalidArgumentError](err); ok {
		element, text = bad.Element, bad.Reason
		if text == "" {
			text = "this value is not accepted"
		}
	} else if serr, ok := serviceError(err); ok {
		text = serr.Message
	}
	element = strings.TrimSuffix(element, "/SSE-OSS/KeyId")
	if !slices.ContainsFunc(formFields, func(f formField) bool { return f.Element == element }) {
		if element != "" {
			text = element + ": " + text
		}
		element = ""
	}
	d.Errors[element] = text
}

// preview fills in the document, the command and the call that the form stands for.
func (v *visit) preview(d *formData, cfg *stocktake.InventoryConfiguration) {
	d.XML = snippet.XML(cfg)
	d.Command, d.Code = snippet.Command(d.Bucket, cfg), snippet.Go(v.Endpoint, v.Region, d.Bucket, cfg)
	if d.ID != "" {
		d.Command, d.Code = snippet.Replacing(d.Command, d.Code)
	}
}

// putInventory adds a configuration and redirects to it.
func (v *visit) putInventory() (*page, error) {
	owner, err := v.ownerOrAccount()
	if err != nil {
		return nil, err
	}
	data := &formData{Bucket: v.bucket()}
	cfg, ok := v.readForm(data, owner)
	if !ok {
		return v.formPage(data), nil
	}
	if err := v.client.Put(v.ctx, v.bucket(), cfg); err != nil {
		return v.refusedPut(data, err)
	}
	return v.redirect(inventoryHref(v.bucket(), cfg.ID))
}

// ownerOrAccount is owner for users who may put configurations but not read them.
func (v *visit) ownerOrAccount() (string, error) {
	owner, err := v.owner()
	if errors.Is(err, stocktake.ErrAccessDenied) {
		return v.Account, nil
	}
	return owner, err
}

// replaceInventory replaces the configuration with the given id.
func (v *visit) replaceInventory() (*page, error) {
	old, err := v.client.Get(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	owner, err := v.owner()
	if err != nil {
		return nil, err
	}
	data := &formData{Bucket: v.bucket(), ID: v.id()}
	cfg, ok := v.readForm(data, owner)
	if !ok {
		return v.formPage(data), nil
	}
	keepUnshown(&old, &cfg)
	if _, err := v.client.Replace(v.ctx, v.bucket(), cfg); err != nil {
		return v.refusedPut(data, err)
	}
	return v.redirect(inventoryHref(v.bucket(), v.id()))
}

// keepUnshown copies to the new configuration those values of the old one that the
// form cannot show.
func keepUnshown(old, cfg *stocktake.InventoryConfiguration) {
	if i := old.Incremental; i != nil && !i.IsEnabled && cfg.Incremental == nil {
		cfg.Incremental = i
	}
	if old.Filter.AllClasses && len(cfg.Filter.StorageClass) == 0 {
		cfg.Filter.AllClasses = true
	}
	// A browser drops only line breaks from a field.
	if strings.NewReplacer("\r", "", "\n", "").Replace(old.Filter.Prefix) == cfg.Filter.Prefix {
		cfg.Filter.Prefix = old.Filter.Prefix
	}
}

// refusedPut shows the form again if the API rejects the configuration.
func (v *visit) refusedPut(d *formData, err error) (*page, error) {
	serr, ok := serviceError(err)
	if !ok || serr.StatusCode == http.StatusForbidden || serr.Code == "" {
		return nil, err
	}
	if serr.StatusCode >= http.StatusInternalServerError {
		// The input is valid: the user can send it again later.
		d.Problem = "It was not saved: " + serr.Message
	} else if errors.Is(err, stocktake.ErrInventoryExists) {
		d.Errors["Id"] = "the bucket has a configuration with this id already"
	} else {
		d.refuse(err)
	}
	p := v.formPage(d)
	p.Status = serr.StatusCode
	return p, nil
}

// parseForm reads a configuration from the form. It returns the errors by element.
func parseForm(form url.Values) (c stocktake.InventoryConfiguration, wrong map[string]string) {
	wrong = map[string]string{}
	get := func(element string) string { return strings.TrimSpace(form.Get(element)) }
	fail := func(element string, err error) {
		if err != nil {
			wrong[element] = err.Error()
		}
	}
	c.ID = get("Id")
	c.IsEnabled = form.Get("IsEnabled") != ""
	c.IncludedObjectVersions = stocktake.IncludedObjectVersions(get("IncludedObjectVersions"))
	for _, name := range form["OptionalFields/Field"] {
		f, ok := stocktake.ParseOptionalField(name)
		if !ok {
			wrong["OptionalFields/Field"] = fmt.Sprintf("there is no column %q", human.Visible(name))
			continue
		}
		c.OptionalFields = append(c.OptionalFields, f)
	}
	c.Schedule.Frequency = stocktake.Frequency(get("Schedule/Frequency"))
	if c.Schedule.Frequency == stocktake.Monthly {
		if day := get("Schedule/DayOfMonth"); day != "" {
			n, err := strconv.Atoi(day)
			if err != nil || n < 1 || n > 31 {
				wrong["Schedule/DayOfMonth"] = "expected 1 to 31"
			}
			c.Schedule.DayOfMonth = n
		}
	}
	if c.Schedule.Frequency == stocktake.Once {
		c.Schedule.AutoDelete = new(form.Get("Schedule/AutoDelete") != "")
	}
	d := &c.Destination
	d.Format, d.Bucket, d.AccountID = get(destinationElement+"Format"), get(destinationElement+"Bucket"), get(destinationElement+"AccountId")
	d.RoleARN, d.Prefix = get(destinationElement+"RoleArn"), get(destinationElement+"Prefix")
	if strings.HasSuffix(d.Prefix, "/") {
		wrong[destinationElement+"Prefix"] = "leave the “/” at the end out: one is added"
	}
	switch get(destinationElement + "Encryption") {
	case "":
	case "SSE-OSS":
		d.Encryption.SSEOSS = true
	case "SSE-KMS":
		d.Encryption.SSEKMS, d.Encryption.KeyID = true, get(destinationElement+"Encryption/SSE-KMS/KeyId")
	default:
		wrong[destinationElement+"Encryption"] = "expected SSE-OSS, SSE-KMS or nothing"
	}
	c.Incremental = parseChanges(form, wrong)
	f := &c.Filter
	f.Prefix = form.Get("Filter/Prefix") // spaces count
	if classes := form["Filter/StorageClass"]; len(classes) > 0 && !f.SetStorageClasses(strings.Join(classes, ",")) {
		wrong["Filter/StorageClass"] = "there is no such storage class"
	}
	var err error
	if lower := get("Filter/LowerSizeBound"); lower != "" {
		f.LowerSizeBound, err = parseSize(lower)
		f.HasLowerSizeBound = f.LowerSizeBound == 0
		fail("Filter/LowerSizeBound", err)
	}
	if upper := get("Filter/UpperSizeBound"); upper != "" {
		f.UpperSizeBound, err = parseSize(upper)
		if err == nil && f.UpperSizeBound == 0 {
			err = errors.New("expected at least 1 byte")
		}
		fail("Filter/UpperSizeBound", err)
	}
	f.LastModifyBeginTimeStamp, err = parseTime(get("Filter/LastModifyBeginTimeStamp"))
	fail("Filter/LastModifyBeginTimeStamp", err)
	f.LastModifyEndTimeStamp, err = parseTime(get("Filter/LastModifyEndTimeStamp"))
	fail("Filter/LastModifyEndTimeStamp", err)
	return c, wrong
}

// parseChanges reads the fields for incremental reports; nil: none.
func parseChanges(form url.Values, wrong map[string]string) *stocktake.IncrementalInventory {
	const element = "IncrementalInventory/OptionalFields/Field"
	if form.Get("IncrementalInventory/IsEnabled") == "" {
		return nil
	}
	i := &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow}
	for _, name := range form[element] {
		f, ok := stocktake.ParseIncrementalField(name)
		if !ok {
			wrong[element] = fmt.Sprintf("there is no column %q", human.Visible(name))
			continue
		}
		i.OptionalFields = append(i.OptionalFields, f)
	}
	return i
}

// sizeUnits are the accepted units of sizes.
var sizeUnits = []struct {
	name  string
	bytes float64
}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1}}

// parseSize reads bytes: "1024", "10 MiB".
func parseSize(text string) (int64, error) {
	text, unit := strings.ToLower(strings.TrimSpace(text)), 1.0
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return n, nil // exact, however large
	}
	for _, u := range sizeUnits {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSpace(number), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n*unit > stocktake.MaxObjectSize {
		return 0, errors.New("expected bytes, such as 1048576 or 1 MiB, up to 50 TiB")
	}
	return int64(n * unit), nil
}

// timeInputs are the formats of times that browsers send and users type.
var timeInputs = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", time.RFC3339}

// parseTime reads a time in UTC as Unix seconds; an empty text is 0.
func parseTime(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, form := range timeInputs {
		if t, err := time.Parse(form, text); err == nil {
			return t.Unix(), nil
		}
	}
	return 0, errors.New("expected a time such as 2026-01-31T12:00")
}

// inputTime formats a time for a field of a form.
func inputTime(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(timeInputs[0])
}
