package stocktake

import "encoding/json"

// filterJSON is a [Filter] as JSON: "All" stands among the storage classes, and
// a lower bound that was given is there even if it is 0.
type filterJSON struct {
	Prefix                   string   `json:"prefix,omitempty"`
	LastModifyBeginTimeStamp int64    `json:"lastModifyBeginTimeStamp,omitzero"`
	LastModifyEndTimeStamp   int64    `json:"lastModifyEndTimeStamp,omitzero"`
	LowerSizeBound           *int64   `json:"lowerSizeBound,omitempty"`
	UpperSizeBound           int64    `json:"upperSizeBound,omitzero"`
	StorageClass             []string `json:"storageClass,omitempty"`
}

// MarshalJSON writes a filter with the names of the API in lowerCamelCase.
func (f Filter) MarshalJSON() ([]byte, error) {
	j := filterJSON{
		Prefix: f.Prefix, UpperSizeBound: f.UpperSizeBound,
		LastModifyBeginTimeStamp: f.LastModifyBeginTimeStamp, LastModifyEndTimeStamp: f.LastModifyEndTimeStamp,
	}
	if f.LowerSizeBound != 0 || f.HasLowerSizeBound {
		j.LowerSizeBound = &f.LowerSizeBound
	}
	if f.AllClasses {
		j.StorageClass = []string{allClasses}
	}
	for _, c := range f.StorageClass {
		text, err := c.MarshalText()
		if err != nil {
			return nil, err
		}
		j.StorageClass = append(j.StorageClass, string(text))
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Filter) UnmarshalJSON(data []byte) error {
	var j filterJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*f = Filter{
		Prefix: j.Prefix, UpperSizeBound: j.UpperSizeBound,
		LastModifyBeginTimeStamp: j.LastModifyBeginTimeStamp, LastModifyEndTimeStamp: j.LastModifyEndTimeStamp,
	}
	if j.LowerSizeBound != nil {
		f.LowerSizeBound, f.HasLowerSizeBound = *j.LowerSizeBound, *j.LowerSizeBound == 0
	}
	for _, name := range j.StorageClass {
		if name == allClasses {
			f.AllClasses = true
			continue
		}
		var c StorageClass
		if err := c.UnmarshalText([]byte(name)); err != nil {
			return err
		}
		f.StorageClass = append(f.StorageClass, c)
	}
	return nil
}
