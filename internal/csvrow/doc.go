// Package csvrow encodes records as the rows of CSV reports and decodes rows.
//
// It has the one copy of the tables and rules of such rows. Package csvgz, which
// encodes and compresses in one step, shares them.
package csvrow
