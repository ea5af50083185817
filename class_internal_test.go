package stocktake

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestClassesThatStoresMakeUp(t *testing.T) {
	for _, name := range []string{"COLD", "EU.glacial:2", "0-9_z", strings.Repeat("A", MaxStorageClassLength)} {
		c, ok := ListedStorageClass([]byte(name))
		again, same := StorageClassOf([]byte(name))
		if !ok || !same || c != again || c.String() != name || c < numNamedClasses {
			t.Errorf("%q is %d, %v, and %d, %v afterwards; its name is %q", name, c, ok, again, same, c)
		}
	}
	for _, name := range []string{"", "unknown", "All", "a,b", `a"b`, "a b", "-a", "é", "a\n", strings.Repeat("A", MaxStorageClassLength+1)} {
		if c, ok := ListedStorageClass([]byte(name)); ok {
			t.Errorf("%q is class %d", name, c)
		}
	}
	for _, name := range []string{"standard", "ARCHIVE", "Frozen", "Standard_IA"} {
		if c, ok := FilterStorageClass(name); ok {
			t.Errorf("a filter has %q as class %d", name, c)
		}
	}
	for i, name := range storageClassNames {
		if c, ok := FilterStorageClass(name); !ok || int(c) != i {
			t.Errorf("%s is class %d, %v", name, c, ok)
		}
	}
}

// TestReportsLeaveRoomForListings: strangers write reports and documents, and must
// not use up the places of what stores list.
func TestReportsLeaveRoomForListings(t *testing.T) {
	var n classNames
	for i := range 1000 {
		name := fmt.Appendf(nil, "C%d", i)
		if _, ok := n.number(name, maxReadClasses); ok != (i < maxReadClasses) {
			t.Fatalf("class %d: %v", i, ok)
		}
	}
	for i := range maxMadeUpClasses - maxReadClasses {
		if c, ok := n.number(fmt.Appendf(nil, "L%d", i), maxMadeUpClasses); !ok || n.name(c) != fmt.Sprintf("L%d", i) {
			t.Fatalf("listed class %d is %q, %v", i, n.name(c), ok)
		}
	}
	if _, ok := n.number([]byte("ONE-MORE"), maxMadeUpClasses); ok {
		t.Error("there is a place for one more")
	}
	if n.name(255) != unknownName {
		t.Errorf("255 is %q", n.name(255))
	}
}

func TestClassNamesOfManyGoroutines(t *testing.T) {
	var n classNames
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 50 {
				name := fmt.Sprintf("C%d", (i+g)%50)
				if c, ok := n.number([]byte(name), maxMadeUpClasses); !ok || n.name(c) != name {
					t.Errorf("%s is %q, %v", name, n.name(c), ok)
				}
			}
		})
	}
	all.Wait()
	if len(n.list()) != 50 {
		t.Errorf("there are %d names", len(n.list()))
	}
}

func TestOrderOfClasses(t *testing.T) {
	order := []string{"Standard", "DeepColdArchive", "STANDARD", "FSX_ONTAP", "A", "COLD"}
	for i := range order {
		for j := range order {
			if got := CompareStorageClasses(order[i], order[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s, %s: %d", order[i], order[j], got)
			}
		}
	}
}
