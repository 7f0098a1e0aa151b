%%% A name server on loopback that knows where a few XMPP servers take connections of other servers (SRV records),
%%% so that private servers find each other without root, and each on a port of its own.
-module(twitter_names).
-behaviour(gen_server).

-export([start/2, stop/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% The ports of domains, those to be tried first before the others; whatever is below a domain is at the same ones.
-type zone() :: #{Domain :: binary() => [inet:port_number()]}.

%% @doc Starts one that knows this, and writes the file that makes an Erlang node ask it (ERL_INETRC).
-spec start(zone(), InetRc :: file:filename()) -> pid().
start(Zone, InetRc) ->
    {ok, Names} = gen_server:start(?MODULE, Zone, []),
    Port = gen_server:call(Names, port),
    ok = filelib:ensure_dir(InetRc),
    %% Without the first line the addresses of the machine's own name servers win.
    ok = file:write_file(InetRc, io_lib:format("{resolv_conf, \"\"}.~n{nameserver, {127,0,0,1}, ~b}.~n", [Port])),
    Names.

-spec stop(pid()) -> ok.
stop(Names) ->
    gen_server:stop(Names).

-spec init(zone()) -> {ok, {gen_udp:socket(), zone()}}.
init(Zone) ->
    {ok, Socket} = gen_udp:open(0, [binary, {ip, {127, 0, 0, 1}}, {active, true}]),
    {ok, {Socket, Zone}}.

-spec handle_call(port, gen_server:from(), State) -> {reply, inet:port_number(), State}.
handle_call(port, _From, {Socket, _Zone} = State) ->
    {ok, Port} = inet:port(Socket),
    {reply, Port, State}.

-spec handle_cast(term(), State) -> {noreply, State}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), State) -> {noreply, State}.
handle_info({udp, Socket, Address, Port, Bytes}, {Socket, Zone} = State) ->
    {ok, Question} = inet_dns:decode(Bytes),
    ok = gen_udp:send(Socket, Address, Port, inet_dns:encode(answered(Question, Zone))),
    {noreply, State};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), {gen_udp:socket(), zone()}) -> ok.
terminate(_Reason, {Socket, _Zone}) ->
    gen_udp:close(Socket).

answered(Question, Zone) ->
    [Query] = inet_dns:msg(Question, qdlist),
    Answers = answers(inet_dns:dns_query(Query, type), inet_dns:dns_query(Query, domain), Zone),
    Code =
        case Answers of
            %% There is no such name.
            [] -> 3;
            _ -> 0
        end,
    Header = inet_dns:make_header(inet_dns:msg(Question, header), [{qr, true}, {aa, true}, {ra, true}, {rcode, Code}]),
    inet_dns:make_msg([{header, Header}, {qdlist, [Query]}, {anlist, Answers}]).

answers(srv, "_xmpp-server._tcp." ++ Host = Name, Zone) ->
    Found = [Ports || {Domain, Ports} <- maps:to_list(Zone), is_within(list_to_binary(Host), Domain)],
    %% Nobody is to remember it.
    [inet_dns:make_rr([{domain, Name}, {class, in}, {type, srv}, {ttl, 0}, {data, {Priority, 0, Port, "localhost"}}])
     || Ports <- Found, {Priority, Port} <- lists:enumerate(Ports)];
answers(_Type, _Name, _Zone) ->
    [].

is_within(Domain, Domain) -> true;
is_within(Host, Domain) -> lists:suffix(binary_to_list(<<".", Domain/binary>>), binary_to_list(Host)).
