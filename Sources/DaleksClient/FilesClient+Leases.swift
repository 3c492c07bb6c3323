public import DaleksAPI
public import DaleksCore
import DaleksHTTP
import DaleksHTTPClient
import DaleksJSON

/// Leases on files.
extension FilesClient {
    public func takeLease(_ request: LeaseRequest, on id: NodeID) throws(ClientFailure) -> LeaseRecord {
        try service.decode(try post(Routes.Files.lease(on: id), request, waiting: request.waitSeconds))
    }

    public func watchLeases(_ watch: LeaseWatch) throws(ClientFailure) -> LeaseNews {
        try service.decode(try post(Routes.Files.leases, watch, waiting: watch.waitSeconds))
    }

    public func returnLease(_ number: Int64, of device: DeviceID, on id: NodeID) throws(ClientFailure) {
        var request = ClientRequest(.delete, service.baseURL + Routes.Files.lease(number, of: device, on: id))
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        request.deadline = Limits.Client.leaseDeadline
        _ = try send(request)
    }

    private func post(
        _ path: String,
        _ body: some JSONEncodable,
        waiting seconds: Int
    ) throws(ClientFailure) -> ClientResponse {
        var request = ClientRequest(.post, service.baseURL + path)
        request.fields.set("Content-Type", "application/json")
        request.body = .bytes(body.jsonBytes)
        request.sink = .memory(max: Limits.Client.answerBytesMax)
        request.deadline = .seconds(seconds) + Limits.Client.leaseDeadline
        request.idleTimeout = request.deadline
        return try send(request)
    }
}
