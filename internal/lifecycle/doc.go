// Package lifecycle carries out the lifecycle rules of buckets: as objects age,
// their versions expire or move to colder storage classes, and unfinished uploads
// are aborted.
//
// [Rules] are the rules of one bucket: Decide returns the action for a version,
// Expiration the time at which it will be deleted. [Check] validates new rules as
// OSS does. A [Worker] carries rules out once a day.
//
// # Days
//
// A day is a day of UTC. The time from which days count, the last modification
// of a version or the moment at which another replaced it, is rounded up to
// midnight; with Days N the version is due N days after that. So N full days
// have always passed before it is due, and never more than N+1.
//
// CreatedBeforeDate D applies to versions last modified before D, which are due at
// D. Date D applies to all versions, from D on. OSS does not document the effect of
// a CreatedBeforeDate in the future. We wait for it, because an object that is
// deleted too early is lost.
//
// # Which action
//
// Every enabled rule that selects a version applies, independently of the others.
// Of the actions that are due, deletion takes precedence over transitions, and a
// colder class over a warmer one. A transition only ever makes a version colder.
//
//   - The current version expires as DeleteObject without a version id would
//     delete it: where versions are kept, it stays as a noncurrent one.
//   - A noncurrent version, including a delete marker, is removed permanently.
//   - A delete marker that is the only version of its key is removed if a rule
//     has ExpiredObjectDeleteMarker; its age does not matter, and it has no
//     tags and no size.
//   - Symlinks keep their class, and appendable objects do not become ColdArchive
//     or DeepColdArchive before they are sealed.
//
// Source: OSS user guide, "Lifecycle rules based on the last modified time",
// "Priorities of lifecycle rules", "Configuration elements".
package lifecycle
