// Package lifecycle is what buckets do with their objects as these age:
// versions expire, move to colder storage classes, uploads that nobody
// completes are aborted.
//
// [Rules] are the rules of one bucket: Decide says what is to be done with a
// version, and Expiration when it will be deleted. [Check] holds rules that
// somebody wants to put to those of OSS. A [Worker] carries them out once a day.
//
// # Days
//
// A day is a day of UTC. The time from which days count, the last modification
// of a version or the moment at which another replaced it, is rounded up to
// midnight; with Days N the version is due N days after that. So N full days
// have always passed, and never more than N+1 before it is due.
//
// CreatedBeforeDate D is about versions last modified before D, which are due at
// D. Date D is about all versions, from D on. OSS does not say what a
// CreatedBeforeDate in the future does; we wait for it, as what is deleted too
// early is lost.
//
// # Which action
//
// Every enabled rule that selects a version has its say, whatever the others
// select. Of what is due, deletion comes before any transition, and a colder
// class before a warmer one. A transition only ever makes a version colder.
//
//   - The current version expires as DeleteObject without a version id would
//     delete it: where versions are kept, it stays as a noncurrent one.
//   - A noncurrent version, a delete marker too, is removed for good.
//   - A delete marker that is the only version of its key is removed if a rule
//     has ExpiredObjectDeleteMarker; its age does not matter, nor do tags and
//     sizes, which it has none of.
//   - Symlinks keep their class, and appendable objects do not become ColdArchive
//     or DeepColdArchive before they are sealed.
//
// Source: OSS user guide, "Lifecycle rules based on the last modified time",
// "Priorities of lifecycle rules", "Configuration elements".
package lifecycle
