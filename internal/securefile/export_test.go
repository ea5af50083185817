package securefile

// FileSteps is how many operations on files a change has.
const FileSteps = 6

// FailStep has operation n of the changes of f fail, from 0 on, until it is healed.
func (f *File) FailStep(n int) {
	f.Replace = func(path string, data []byte) error { return replace(&flaky{n: n + 1}, path, data) }
}

// Heal has the operations succeed again.
func (f *File) Heal() { f.Replace = nil }
