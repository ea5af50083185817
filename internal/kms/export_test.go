package kms

// FailReplace makes every write fail with err.
func (k *Keys) FailReplace(err error) { k.doc.Replace = func(string, []byte) error { return err } }
