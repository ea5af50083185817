// Package csvrow encodes records as the rows of CSV reports and decodes rows.
//
// It is the only implementation of such rows and their tables. Package csvgz, which
// encodes and compresses in one step, uses them, too.
package csvrow
