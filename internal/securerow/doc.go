// Package securerow keeps small documents of secrets as rows of the database that
// processes share: accounts, encryption keys, the root key. A [Row] is the
// securefile.Storage of one document.
//
// The content of a row is sealed with the master key, which is not in the database: the database
// alone reveals no secret and allows no forgery. A [Table] follows the changes that other processes
// make, by notifications and by asking twice a second, so that a key that is revoked on one machine
// is refused on all of them within a second. A process that cannot ask for [Options.MaxAge] no
// longer vouches for what it has.
package securerow
