package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// crawl determines the minimum number of requests for each list by reading everything in the simplest way.
type crawl struct {
	client   *http.Client
	base     string
	children map[string]childList
	known    map[string]*listed // by path
}

// listed is the content of a list, or of a child list of all parents. least is the minimum number of requests to read
// it once the parents' objects are known.
type listed struct {
	objects     []object
	minRequests int
}

type object map[string]json.RawMessage

type pageOf struct {
	Data    []object
	HasMore bool `json:"has_more"`
}

func newCrawl(base string) *crawl {
	return &crawl{client: &http.Client{Transport: &http.Transport{}}, base: base, children: childLists(), known: map[string]*listed{}}
}

// stream returns the list of a stream. It reads each list only once.
func (c *crawl) stream(ctx context.Context, stream string) (*listed, error) {
	path := c.path(stream)
	if known := c.known[path]; known != nil {
		return known, nil
	}
	found, err := c.read(ctx, stream)
	c.known[path] = found
	return found, err
}

// path identifies the list of a stream.
func (c *crawl) path(stream string) string {
	if child, ok := c.children[stream]; ok {
		return child.path + "?" + child.param
	}
	path, _ := rootPath(stream)
	return path
}

// minimum returns the minimum number of requests to read one stream: those of its own list and of its ancestors'.
func (c *crawl) minimum(ctx context.Context, stream string) (int, error) {
	lists := map[string]int{}
	err := c.addLists(ctx, stream, lists)
	return total(lists), err
}

// addLists adds the lists from which a stream is read, with the minimum number of requests for each.
func (c *crawl) addLists(ctx context.Context, stream string, lists map[string]int) error {
	found, err := c.stream(ctx, stream)
	if err != nil {
		return err
	}
	lists[c.path(stream)] = found.minRequests
	child, ok := c.children[stream]
	if !ok {
		return nil
	}
	if child.across != "" {
		if err := c.addLists(ctx, child.across, lists); err != nil {
			return err
		}
	}
	return c.addLists(ctx, child.parent, lists)
}

func (c *crawl) read(ctx context.Context, stream string) (*listed, error) {
	child, ok := c.children[stream]
	if !ok {
		path, query := rootPath(stream)
		for _, below := range c.expansions(stream) {
			query += "&expand[]=data." + below
		}
		objects, _, err := c.list(ctx, path, query)
		return &listed{objects, minPages(len(objects))}, err
	}
	parents, err := c.stream(ctx, child.parent)
	if err != nil {
		return nil, err
	}
	if child.inline {
		return &listed{}, nil
	}
	across := []string{""}
	if child.across != "" {
		found, err := c.stream(ctx, child.across)
		if err != nil {
			return nil, err
		}
		across = ids(found.objects)
	}
	result := &listed{}
	for _, parent := range parents.objects {
		for _, id := range across {
			if err := c.addChildren(ctx, child, parent, id, result); err != nil {
				return nil, err
			}
		}
	}
	return result, nil
}

// addChildren adds the children of one parent. Embedded children cost nothing. A parent that embeds none costs at least one
// request.
func (c *crawl) addChildren(ctx context.Context, child childList, parent object, across string, result *listed) error {
	if value, ok := parent[child.needs]; child.needs != "" && (!ok || string(value) == "null" || string(value) == "false") {
		return nil
	}
	if child.kind != "" && parent.text("object") != child.kind {
		return nil
	}
	first, known := embedded(parent, child.embedded)
	if known && !first.HasMore {
		result.objects = append(result.objects, first.Data...)
		return nil
	}
	path := strings.NewReplacer("{}", url.PathEscape(parent.text("id")), "{across}", across).Replace(child.path)
	query := child.also
	if child.param != "" {
		of := child.of
		if of == "" {
			of = "id"
		}
		query += "&" + child.param + "=" + url.QueryEscape(parent.text(of))
	}
	objects, unpaged, err := c.list(ctx, path, query)
	switch {
	case err != nil:
		return err
	case known:
		result.minRequests += pagesAfter(len(objects), len(first.Data))
	case unpaged:
		result.minRequests++
	default:
		result.minRequests += minPages(len(objects))
	}
	result.objects = append(result.objects, objects...)
	return nil
}

// embedded returns the list at a path in an object. It returns false if there is none.
func embedded(o object, path string) (pageOf, bool) {
	if path == "" {
		return pageOf{}, false
	}
	name, rest, nested := strings.Cut(path, ".")
	value, ok := o[name]
	if !ok {
		return pageOf{}, false
	}
	if nested {
		var inner object
		_ = json.Unmarshal(value, &inner) // nil if it isn't an object
		return embedded(inner, rest)
	}
	var page pageOf // empty if the value is null
	return page, json.Unmarshal(value, &page) == nil
}

// expansions returns the lists that the objects of a stream embed only on request.
func (c *crawl) expansions(stream string) []string {
	var paths []string
	for _, child := range c.children {
		if child.parent == stream && child.expanded && !slices.Contains(paths, child.embedded) {
			paths = append(paths, child.embedded)
		}
	}
	return paths
}

// list returns all objects of a list, and reports whether the list is unpaged. A list that Stripe refuses is empty
// and costs one request.
func (c *crawl) list(ctx context.Context, path, query string) (objects []object, unpaged bool, err error) {
	limit := "limit=100&"
	for after := ""; ; {
		var page pageOf
		status, err := c.get(ctx, path+"?"+limit+query+after, &page)
		if status == http.StatusBadRequest && limit != "" {
			limit, unpaged = "", true // this list has no limit parameter
			continue
		}
		if err != nil || status != http.StatusOK {
			return objects, unpaged, err
		}
		objects = append(objects, page.Data...)
		if !page.HasMore {
			return objects, unpaged, nil
		}
		after = "&starting_after=" + url.QueryEscape(page.Data[len(page.Data)-1].text("id"))
	}
}

func (c *crawl) get(ctx context.Context, path string, page *pageOf) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+strings.ReplaceAll(path, "?&", "?"), nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+liveKey)
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(page); err != nil {
		return 0, fmt.Errorf("GET %s: %w", path, err)
	}
	return response.StatusCode, nil
}

func (o object) text(name string) string {
	var text string
	_ = json.Unmarshal(o[name], &text) // "" if it isn't a string
	return text
}

func ids(objects []object) []string {
	var all []string
	for _, o := range objects {
		all = append(all, o.text("id"))
	}
	return all
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}
