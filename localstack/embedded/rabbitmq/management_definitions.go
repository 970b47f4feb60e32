package rabbitmq

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// definitionsJSON is all that is declared, without messages.
type definitionsJSON struct {
	RabbitVersion string           `json:"rabbit_version,omitempty"`
	Users         []userJSON       `json:"users,omitempty"`
	VHosts        []object         `json:"vhosts,omitempty"`
	Permissions   []permissionJSON `json:"permissions,omitempty"`
	Policies      []policyJSON     `json:"policies"`
	Exchanges     []exchangeJSON   `json:"exchanges"`
	Queues        []queueJSON      `json:"queues"`
	Bindings      []bindingJSON    `json:"bindings"`
}

func (m *management) definitions(r *request, all []*vhost) (any, error) {
	d := definitionsJSON{RabbitVersion: Version, Policies: []policyJSON{}, Exchanges: []exchangeJSON{}, Queues: []queueJSON{}, Bindings: []bindingJSON{}}
	yes := true
	if r.PathValue("vhost") == "" {
		for _, name := range slices.Sorted(maps.Keys(m.s.users)) {
			u := m.s.users[name]
			hash := base64.StdEncoding.EncodeToString(u.password)
			d.Users = append(d.Users, userJSON{Name: u.name, Hash: &hash, Hashing: hashing, Tags: orEmpty(u.tags)})
			for _, v := range slices.Sorted(maps.Keys(u.permissions)) {
				p := u.permissions[v]
				c, w, rd := p.configure.String(), p.write.String(), p.read.String()
				d.Permissions = append(d.Permissions, permissionJSON{u.name, v, &c, &w, &rd})
			}
		}
	}
	for _, v := range all {
		d.VHosts = append(d.VHosts, object{"name": v.name})
		for _, name := range slices.Sorted(maps.Keys(v.policies)) {
			p := v.policies[name]
			pattern := p.pattern.String()
			d.Policies = append(d.Policies, policyJSON{v.name, p.name, &pattern, p.applyTo, p.priority, p.definition})
		}
		for _, name := range slices.Sorted(maps.Keys(v.exchanges)) {
			x := v.exchanges[name]
			if notPredefined(name) == nil && x.durable {
				d.Exchanges = append(d.Exchanges, exchangeJSON{name, v.name, x.kind, &yes, x.autoDelete, x.internal, jsonTable(x.arguments)})
			}
			for _, b := range x.bindings {
				if x.durable && (b.queue == nil || b.queue.durable && !b.queue.exclusive) {
					o := describeBinding(b)
					d.Bindings = append(d.Bindings, bindingJSON{name, v.name, b.destination(), o["destination_type"].(string), b.key, jsonTable(b.arguments)})
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v.queues)) {
			if q := v.queues[name]; q.durable && !q.exclusive {
				d.Queues = append(d.Queues, queueJSON{name, v.name, &yes, q.autoDelete, jsonTable(q.arguments)})
			}
		}
	}
	return d, nil
}

// importDefinitions adds what definitions name. What is there stays; it stops at what contradicts it.
func (m *management) importDefinitions(r *request) (any, error) {
	var d definitionsJSON
	if err := json.Unmarshal(r.body, &d); err != nil {
		return nil, badRequest("the body is no JSON as it should be: %v", err)
	}
	only := r.PathValue("vhost")
	place := func(name string) (*vhost, error) {
		v := m.s.vhosts[cmp.Or(only, name)]
		if v == nil {
			return nil, badRequest("no such virtual host: %s", cmp.Or(only, name))
		}
		return v, nil
	}
	failed := func(err error) bool {
		var st *status
		return err != nil && (!errors.As(err, &st) || st.code >= 300)
	}
	if only == "" {
		for _, v := range d.VHosts {
			if name, ok := v["name"].(string); ok && m.s.vhosts[name] == nil {
				m.s.addVHost(name)
				r.user.permissions[name] = everything
			}
		}
		for _, u := range d.Users {
			if err := m.s.setUser(u); failed(err) {
				return nil, err
			}
		}
		for _, p := range d.Permissions {
			if err := m.s.setPermission(p); failed(err) {
				return nil, err
			}
		}
	}
	for _, p := range d.Policies {
		v, err := place(p.VHost)
		if err == nil {
			err = v.setPolicy(p)
		}
		if failed(err) {
			return nil, err
		}
	}
	for _, x := range d.Exchanges {
		v, err := place(x.VHost)
		if err == nil {
			err = m.declareExchange(m.channel(r, v), x)
		}
		if failed(err) {
			return nil, err
		}
	}
	for _, q := range d.Queues {
		v, err := place(q.VHost)
		if err == nil {
			err = m.declareQueue(m.channel(r, v), q)
		}
		if failed(err) {
			return nil, err
		}
	}
	for _, b := range d.Bindings {
		v, err := place(b.VHost)
		if err == nil && b.Source != "" {
			err = m.addBinding(m.channel(r, v), b)
		}
		if failed(err) {
			return nil, err
		}
	}
	return nil, noContent
}
