package securefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// DecodeJSON decodes b, which must be one JSON value, into v. A member that v does not have is an
// error, because a program that does not know it would drop it with its next change.
func DecodeJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more than one JSON value")
	}
	return nil
}
