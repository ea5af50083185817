package report

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake"
)

// VerifyOptions tune [Verify]. The zero value is for a command line.
type VerifyOptions struct {
	Workers int // shards read at once; 0: GOMAXPROCS
}

// A Verification is what [Verify] found out.
type Verification struct {
	Manifest string `json:"manifest"` // key of manifest.json
	OK       bool   `json:"ok"`       // nothing was found to be wrong

	SourceBucket string `json:"sourceBucket,omitempty"`
	Run          string `json:"run,omitempty"` // from the summary

	Files   int                    `json:"files"`
	Rows    int64                  `json:"rows"`
	Stored  int64                  `json:"stored"` // bytes of the shards
	Bytes   int64                  `json:"bytes"`  // size of the objects in the rows; 0 without column Size
	Classes []stocktake.ClassTotal `json:"classes"`

	Findings  []Finding `json:"findings"`  // what is wrong
	Unchecked []string  `json:"unchecked"` // what could not be checked, and why
}

// A Finding is one thing that is wrong with a report. What is wrong many times
// in one file is one finding that says how often.
type Finding struct {
	File   string `json:"file"`             // key of the file
	Check  Check  `json:"check"`            // which promise is broken
	Row    int64  `json:"row,omitempty"`    // of the first occurrence, from 1; 0: the file as a whole
	Count  int64  `json:"count"`            // occurrences in the file
	Detail string `json:"detail,omitempty"` // of the first
}

// A Check is a promise that a report keeps.
type Check string

// Verify reads the report whose manifest.json has the key manifest and holds it
// against itself. The error is for what kept it from doing so, not for what is
// wrong with the report.
func Verify(ctx context.Context, b Bucket, manifest string, opts VerifyOptions) (*Verification, error) {
	return nil, errors.ErrUnsupported
}
