package console

// A Route is a route as tests see it.
type Route struct {
	Name, Method, Pattern    string
	Needs                    []string
	Account, Public, Streams bool
}

// Routes returns all routes.
func Routes() (all []Route) {
	for _, r := range routes {
		all = append(all, Route{r.Name, r.Method, r.Pattern, r.Needs, r.Account, r.Public, r.Streams})
	}
	return all
}
