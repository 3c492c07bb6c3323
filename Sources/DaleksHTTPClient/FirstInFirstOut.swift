/// A queue that neither shifts its elements at each removal nor grows with what passed through it.
struct FirstInFirstOut<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 64, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Removes the first that satisfies the predicate; it walks the queue.
    mutating func removeFirst(where predicate: (Element) -> Bool) -> Bool {
        guard let position = elements[head...].firstIndex(where: { $0.map(predicate) ?? false }) else { return false }
        elements.remove(at: position)
        return true
    }
}
