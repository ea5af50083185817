// Package csvrow is the text of CSV reports, both ways: rows of records, and
// records of rows. Its tables and rules are those that every encoder of such
// rows uses; the compressed files are the business of packages such as csvgz.
package csvrow
