package rabbitmq

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

func describeVHost(v *vhost) object {
	ready, unacked := 0, 0
	for _, q := range v.queues {
		ready += q.ready()
		unacked += q.unacked
	}
	return object{
		"name": v.name, "description": "", "tags": []any{}, "default_queue_type": classic, "tracing": false, "cluster_state": object{nodeName: "running"},
		"messages": ready + unacked, "messages_ready": ready, "messages_unacknowledged": unacked,
	}
}

func (m *management) vhosts(_ *request, all []*vhost) (any, error) {
	return shown(all, describeVHost), nil
}

func (m *management) oneVHost(r *request, v *vhost) (any, error) {
	return describeVHost(v), nil
}

func (m *management) putVHost(r *request) (any, error) {
	name := r.PathValue("vhost")
	if m.s.vhosts[name] != nil {
		return nil, noContent
	}
	m.s.addVHost(name)
	r.user.permissions[name] = everything // as for who adds one in the management UI
	return nil, created
}

func (m *management) deleteVHost(_ *request, v *vhost) (any, error) {
	for _, c := range v.conns() {
		c.force(fmt.Sprintf("vhost '%s' is deleted", v.name))
	}
	for _, q := range v.queues {
		v.deleteQueue(q)
	}
	delete(m.s.vhosts, v.name)
	for _, u := range m.s.users {
		delete(u.permissions, v.name)
	}
	return nil, noContent
}

// hashing is how passwords are kept.
const hashing = "rabbit_password_hashing_sha256"

func describeUser(u *user) object {
	return object{"name": u.name, "tags": orEmpty(u.tags), "password_hash": base64.StdEncoding.EncodeToString(u.password), "hashing_algorithm": hashing, "limits": object{}}
}

func (m *management) users(*request) (any, error) { return shown(sorted(m.s.users), describeUser), nil }

// user returns the user of the path, to an administrator.
func (m *management) user(r *request) (*user, error) {
	if err := r.administrator(); err != nil {
		return nil, err
	}
	if u := m.s.users[r.PathValue("user")]; u != nil {
		return u, nil
	}
	return nil, missing
}

func (m *management) oneUser(r *request, u *user) (any, error) {
	return describeUser(u), nil
}

// userJSON is a user as requests and definitions give it. Tags are a text with commas, or a list.
type userJSON struct {
	Name     string  `json:"name"`
	Password *string `json:"password,omitempty"`
	Hash     *string `json:"password_hash,omitempty"`
	Hashing  string  `json:"hashing_algorithm,omitempty"`
	Tags     any     `json:"tags"`
}

func (j userJSON) tags() []string {
	var tags []string
	switch t := j.Tags.(type) {
	case string:
		for tag := range strings.SplitSeq(t, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	case []any:
		for _, tag := range t {
			tags = append(tags, fmt.Sprint(tag))
		}
	}
	return tags
}

func (m *management) putUser(r *request) (any, error) {
	var in userJSON
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	in.Name = r.PathValue("user")
	return nil, m.s.setUser(in)
}

func (s *Server) setUser(in userJSON) error {
	u, result := s.users[in.Name], noContent
	if u == nil {
		if in.Password == nil && in.Hash == nil {
			return badRequest("key_missing: password")
		}
		u, result = &user{name: in.Name, permissions: map[string]permission{}}, created
		s.users[in.Name] = u
	}
	switch {
	case in.Password != nil:
		u.password = newPassword(*in.Password)
	case in.Hash != nil:
		hash, err := base64.StdEncoding.DecodeString(*in.Hash)
		if err != nil || cmp.Or(in.Hashing, hashing) != hashing {
			return badRequest("password_hash: want base64 of %s", hashing)
		}
		u.password = hash
	}
	u.tags = in.tags()
	return result
}

func (m *management) deleteUser(r *request, u *user) (any, error) {
	delete(m.s.users, u.name)
	for _, c := range sortedConns(m.s) {
		if c.user == u {
			c.force("user '" + u.name + "' is deleted")
		}
	}
	return nil, noContent
}

func describePermission(u *user, vhost string) object {
	p := u.permissions[vhost]
	return object{"user": u.name, "vhost": vhost, "configure": p.configure.String(), "write": p.write.String(), "read": p.read.String()}
}

func (m *management) permissionsWhere(r *request, fits func(u *user, vhost string) bool) (any, error) {
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(m.s.users)) {
		u := m.s.users[name]
		for _, vhost := range slices.Sorted(maps.Keys(u.permissions)) {
			if fits(u, vhost) {
				list = append(list, describePermission(u, vhost))
			}
		}
	}
	return list, nil
}

func (m *management) permissions(r *request) (any, error) {
	return m.permissionsWhere(r, func(*user, string) bool { return true })
}

func (m *management) userPermissions(r *request) (any, error) {
	return m.permissionsWhere(r, func(u *user, _ string) bool { return u.name == r.PathValue("user") })
}

func (m *management) vhostPermissions(r *request) (any, error) {
	return m.permissionsWhere(r, func(_ *user, vhost string) bool { return vhost == r.PathValue("vhost") })
}

func (m *management) onePermission(r *request, u *user) (any, error) {
	if _, ok := u.permissions[r.PathValue("vhost")]; !ok {
		return nil, missing
	}
	return describePermission(u, r.PathValue("vhost")), nil
}

type permissionJSON struct {
	User      string  `json:"user"`
	VHost     string  `json:"vhost"`
	Configure *string `json:"configure"`
	Write     *string `json:"write"`
	Read      *string `json:"read"`
}

func (m *management) putPermission(r *request) (any, error) {
	var in permissionJSON
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	in.User, in.VHost = r.PathValue("user"), r.PathValue("vhost")
	return nil, m.s.setPermission(in)
}

func (s *Server) setPermission(in permissionJSON) error {
	u := s.users[in.User]
	if u == nil || s.vhosts[in.VHost] == nil {
		return badRequest("no such user or virtual host: %s, %s", in.User, in.VHost)
	}
	var p permission
	for _, part := range []struct {
		name string
		from *string
		to   **regexp.Regexp
	}{{"configure", in.Configure, &p.configure}, {"write", in.Write, &p.write}, {"read", in.Read, &p.read}} {
		if part.from == nil {
			return badRequest("key_missing: %s", part.name)
		}
		pattern := *part.from
		if pattern == "" {
			pattern = "^$"
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return badRequest("%s: %v", part.name, err)
		}
		*part.to = re
	}
	_, had := u.permissions[in.VHost]
	u.permissions[in.VHost] = p
	if had {
		return noContent
	}
	return created
}

func (m *management) deletePermission(r *request, u *user) (any, error) {
	delete(u.permissions, r.PathValue("vhost"))
	return nil, noContent
}
