package queue

// A heap keeps its least item first, and tells every item where it is, so that any item can be removed in O(log n).
// container/heap would do the same through an interface value for each push and pop.
type heap[T comparable] struct {
	items []T
	less  func(x, y T) bool
	moved func(item T, index int32)
}

func newHeap[T comparable](less func(x, y T) bool, moved func(T, int32)) heap[T] {
	return heap[T]{less: less, moved: moved}
}

// first returns the least item, or the zero T.
func (h *heap[T]) first() (item T) {
	if len(h.items) > 0 {
		item = h.items[0]
	}
	return item
}

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	h.up(int32(len(h.items) - 1))
}

// remove takes out the item at index i and tells it -1.
func (h *heap[T]) remove(i int32) {
	var none T
	item := h.items[i]
	last := int32(len(h.items) - 1)
	h.items[i] = h.items[last]
	h.items[last] = none
	h.items = h.items[:last]
	if cap(h.items) > 1024 && len(h.items) < cap(h.items)/4 { // a backlog that is gone leaves no memory behind
		h.items = append(make([]T, 0, cap(h.items)/2), h.items...)
	}
	if i < last {
		h.fix(i)
	}
	h.moved(item, -1)
}

// fix restores the order after the item at index i has changed.
func (h *heap[T]) fix(i int32) {
	if !h.down(i) {
		h.up(i)
	}
}

// init restores the order after any items have changed.
func (h *heap[T]) init() {
	for i := int32(len(h.items)/2) - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *heap[T]) up(i int32) {
	item := h.items[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(item, h.items[parent]) {
			break
		}
		h.set(i, h.items[parent])
		i = parent
	}
	h.set(i, item)
}

func (h *heap[T]) down(i int32) bool {
	item, start, n := h.items[i], i, int32(len(h.items))
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && h.less(h.items[child+1], h.items[child]) {
			child++
		}
		if !h.less(h.items[child], item) {
			break
		}
		h.set(i, h.items[child])
		i = child
	}
	h.set(i, item)
	return i > start
}

func (h *heap[T]) set(i int32, item T) {
	h.items[i] = item
	h.moved(item, i)
}
