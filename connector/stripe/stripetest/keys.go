package stripetest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Key describes an API key.
type Key struct {
	// Permissions are what a restricted key (rk_) may read and expand, by Stripe's names: "rak_charge_read". A secret key
	// (sk_) may read everything.
	Permissions []string
	// Expired keys are refused.
	Expired bool
	// Account is the id of the account that owns the key, by default the platform.
	Account string
}

// grants holds the keys and the account's products. Both may change while requests are in flight.
type grants struct {
	lock       sync.RWMutex
	keys       map[string]Key
	notEnabled []string
}

// SetKey adds an API key or replaces its description. Once a key has been set, keys that have not been set are refused.
func (s *Stripe) SetKey(key string, description Key) {
	s.grants.lock.Lock()
	defer s.grants.lock.Unlock()
	s.grants.keys = maps.Clone(s.grants.keys)
	if s.grants.keys == nil {
		s.grants.keys = map[string]Key{}
	}
	s.grants.keys[key] = description
}

// SetNotEnabled replaces Options.NotEnabled.
func (s *Stripe) SetNotEnabled(products ...string) {
	s.grants.lock.Lock()
	defer s.grants.lock.Unlock()
	s.grants.notEnabled = slices.Clone(products)
}

// key returns the description of a key, and reports whether the key is known and whether any keys have been set.
func (g *grants) key(key string) (description Key, found, any bool) {
	g.lock.RLock()
	defer g.lock.RUnlock()
	description, found = g.keys[key]
	return description, found, len(g.keys) > 0
}

func (g *grants) lacks(product string) bool {
	g.lock.RLock()
	defer g.lock.RUnlock()
	return product != "" && slices.Contains(g.notEnabled, product)
}

// keyOf returns the API key of a request, or "".
func keyOf(request *http.Request) string {
	if key, ok := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer "); ok {
		return key
	}
	key, _, _ := request.BasicAuth()
	return key
}

// accountOf returns the id of the account that a request is for.
func (s *Stripe) accountOf(request *http.Request) string {
	if id := request.Header.Get("Stripe-Account"); id != "" {
		return id
	}
	if known, _, _ := s.grants.key(keyOf(request)); known.Account != "" {
		return known.Account
	}
	return s.id
}

// authorizeExpansion refuses to expand objects that a restricted key may not read. Without the expansion, the request succeeds.
func (s *Stripe) authorizeExpansion(x *exchange, c *caller, e expansion) *apiError {
	if c.permissions == nil || len(e) == 0 {
		return nil
	}
	for _, object := range x.model.objects(x.end.route) {
		if permission := x.model.lacking(object, e, c.permissions); permission != "" {
			return x.refuse(refusal{http.StatusForbidden, "", "",
				strings.ReplaceAll(refusals()[PermissionMissing].message, "{permission}", permission)})
		}
	}
	return nil
}

// lacking returns a permission that expanding an object requires and that is not among those given, or "".
func (m *model) lacking(object string, e expansion, given []string) string {
	k := m.shapes[m.kindOf(object)]
	if k == nil {
		return ""
	}
	k.build()
	return m.lackingNode(k, "", k.schema, e, given)
}

func (m *model) lackingNode(s *shape, path string, n *node, e expansion, given []string) string {
	for _, name := range slices.Sorted(maps.Keys(e)) {
		p, full := n.Properties[name], path+name
		if p == nil {
			continue
		}
		if p.Items != nil && !p.list() {
			p = p.Items
		}
		objects, below := slices.Concat(p.Expandable, p.Object), e[name]
		if p.list() {
			objects, below = p.Properties["data"].Items.Object, below["data"]
		}
		for _, object := range objects {
			permission := m.permissionTo(s.kind, full, object)
			if permission != "" && !slices.Contains(given, permission) && !embeds(p, objects) {
				return permission
			}
			if permission := m.lacking(object, below, given); permission != "" {
				return permission
			}
		}
		if permission := m.lackingNode(s, full+".", p, below, given); permission != "" && len(objects) == 0 {
			return permission
		}
	}
	return ""
}

// embeds reports whether a property always holds the full object, so that expanding it affects only what is below it.
func embeds(n *node, objects []string) bool {
	return len(n.Object) > 0 && len(n.Expandable) == 0 && !n.list() && len(objects) > 0
}

// permissionTo returns the permission needed to read the objects in a property of a kind, or "" if unknown.
func (m *model) permissionTo(k *kind, property, object string) string {
	if e, ok := k.lists[property]; ok && e.form != asList {
		for i := range m.routes {
			if m.routes[i].kinds[0] == e.kinds[0] {
				return permissionName(m.routes[i].permission)
			}
		}
	} else if ok {
		for i := range m.routes {
			if r := &m.routes[i]; strings.HasPrefix(e.url, placeholders(r.path)) && r.nested() || r.path == e.url {
				return permissionName(r.permission)
			}
		}
	}
	for i := range m.routes {
		if r := &m.routes[i]; m.shapes[r.kinds[0]].kind.object == object {
			return permissionName(r.permission)
		}
	}
	return ""
}
