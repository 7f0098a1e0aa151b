%%% A client that keeps the bytes as they come, over every kind of connection: TCP, TLS, websocket and
%%% BOSH, with stream management (XEP-0198) if wanted.
%%%
%%% It is used by the process that opened it; what was received and not yet read is kept in that
%%% process's dictionary.
-module(twitter_wire).

-include_lib("fast_xml/include/fxml.hrl").

-export([open/3, sync/1, ask/3, send/2, until/2, drop/1]).
-export([manage/1, acked/1, resume/4, stanzas/1]).
-export_type([wire/0]).

-type kind() :: tcp | tls | websocket | bosh.
-type wire() :: #{kind := kind(), module := module(), socket := term(), user := twitter_client:user()}.
%% The port is that for clients on plain TCP if none is named.
-type options() :: #{kind => kind(), port => inet:port_number(), resource => binary(), presence => boolean()}.

-define(TIMEOUT, 10_000).
-define(MASK, 16#1badcafe).

%% @doc Logs in, binds a resource and sends presence.
-spec open(twitter_server:server(), twitter_client:user(), options()) -> wire().
open(Server, User, Options) ->
    Wire = authenticated(Server, User, Options),
    Resource = [[<<"<resource>">>, Name, <<"</resource>">>] || Name <- maps:values(maps:with([resource], Options))],
    _ = ask(Wire, [<<"<iq type='set' id='bind' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>">>,
                   Resource, <<"</bind></iq>">>], <<"</bind></iq>">>),
    _ = [send(Wire, <<"<presence xmlns='jabber:client'/>">>) || maps:get(presence, Options, true)],
    _ = sync(Wire),
    Wire.

authenticated(Server, {Name, Host} = User, Options) ->
    Kind = maps:get(kind, Options, tcp),
    Port = maps:get(port, Options, twitter_server:port(Server)),
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {nodelay, true}]),
    Plain = #{kind => Kind, module => gen_tcp, socket => Socket, user => User},
    Wire = started(Plain),
    Secret = base64:encode(<<0, Name/binary, 0, "secret">>),
    _ = ask(Wire, [<<"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>">>, Secret, <<"</auth>">>],
            <<"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>">>),
    _ = ask(Wire, header(Wire, restart, Host), <<"</stream:features>">>),
    Wire.

started(#{kind := tls, socket := Socket, user := {_, Host}} = Wire) ->
    _ = ask(Wire, header(Wire, start, Host), <<"</stream:features>">>),
    _ = ask(Wire, <<"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>">>,
            <<"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>">>),
    {ok, _} = application:ensure_all_started(ssl),
    {ok, Secure} = ssl:connect(Socket, [{verify, verify_none}], ?TIMEOUT),
    started(Wire#{kind := tcp, module := ssl, socket := Secure});
started(#{kind := websocket, module := Module, socket := Socket, user := {_, Host}} = Wire) ->
    ok = Module:send(Socket, [<<"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Protocol: xmpp\r\n\r\n">>]),
    _ = raw_until(Wire, <<"\r\n\r\n">>, <<>>),
    _ = ask(Wire, header(Wire, start, Host), <<"</stream:features>">>),
    Wire;
started(#{kind := bosh, user := {_, Host}} = Wire) ->
    ok = post(Wire, [<<" to='">>, Host, <<"' wait='60' hold='1' ver='1.6' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'">>], <<>>),
    _ = until(Wire, <<"</stream:features>">>),
    Wire;
started(#{user := {_, Host}} = Wire) ->
    _ = ask(Wire, header(Wire, start, Host), <<"</stream:features>">>),
    Wire.

header(#{kind := websocket}, _When, Host) ->
    [<<"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' to='">>, Host, <<"'/>">>];
header(#{kind := bosh}, restart, _Host) ->
    restart;
header(_Wire, _When, Host) ->
    [<<"<stream:stream xmlns='jabber:client' version='1.0' xmlns:stream='http://etherx.jabber.org/streams' to='">>,
     Host, <<"'>">>].

%% @doc All bytes up to the answer of a question that is asked now.
-spec sync(wire()) -> binary().
sync(Wire) ->
    Id = integer_to_binary(erlang:unique_integer([positive])),
    Sent = [<<"<iq type='get' xmlns='jabber:client' id='ping-">>, Id, <<"'><ping xmlns='urn:xmpp:ping'/></iq>">>],
    Received = ask(Wire, Sent, <<"'ping-", Id/binary, "'">>),
    _ = until(Wire, <<">">>),
    {Start, _} = lists:last(binary:matches(Received, <<"<iq ">>)),
    binary:part(Received, 0, Start).

%% @doc Sends, and returns what is received up to and with the end that is named.
-spec ask(wire(), iodata() | restart, End :: binary()) -> binary().
ask(Wire, Bytes, End) ->
    ok = send(Wire, Bytes),
    until(Wire, End).

-spec send(wire(), iodata() | restart) -> ok.
send(#{kind := bosh} = Wire, restart) ->
    post(Wire, <<" xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'">>, <<>>);
send(#{kind := bosh} = Wire, Bytes) ->
    post(Wire, <<>>, Bytes);
send(#{kind := websocket, module := Module, socket := Socket}, Bytes) ->
    Module:send(Socket, frame(iolist_to_binary(Bytes)));
send(#{module := Module, socket := Socket}, Bytes) ->
    Module:send(Socket, Bytes).

-spec until(wire(), End :: binary()) -> binary().
until(Wire, End) ->
    until(Wire, End, take(Wire)).

until(Wire, End, Received) ->
    case binary:match(Received, End) of
        {Start, Length} ->
            {Before, Rest} = split_binary(Received, Start + Length),
            put({Wire, rest}, Rest),
            Before;
        nomatch ->
            until(Wire, End, <<Received/binary, (chunk(Wire))/binary>>)
    end.

take(Wire) ->
    case erase({Wire, rest}) of
        undefined -> <<>>;
        Rest -> Rest
    end.

%% @doc The connection breaks.
-spec drop(wire()) -> ok.
drop(#{module := Module, socket := Socket}) ->
    Module:close(Socket).

%%% Stream management

%% @doc From now on stanzas are counted; returns the name under which the session can be resumed.
-spec manage(wire()) -> Id :: binary().
manage(Wire) ->
    _ = ask(Wire, <<"<enable xmlns='urn:xmpp:sm:3' resume='true'/>">>, <<"<enabled">>),
    Enabled = until(Wire, <<"/>">>),
    {match, [Id]} = re:run(Enabled, " id='([^']+)'", [{capture, [1], binary}]),
    Id.

%% @doc How many stanzas of this client the server has counted.
-spec acked(wire()) -> non_neg_integer().
acked(Wire) ->
    _ = ask(Wire, <<"<r xmlns='urn:xmpp:sm:3'/>">>, <<"<a ">>),
    {match, [H]} = re:run(until(Wire, <<"/>">>), "h='([0-9]+)'", [{capture, [1], binary}]),
    binary_to_integer(H).

%% @doc Resumes a session on a new connection, having received so many stanzas on the old ones.
-spec resume(twitter_server:server(), twitter_client:user(), Id :: binary(), H :: non_neg_integer()) -> wire().
resume(Server, User, Id, H) ->
    Wire = authenticated(Server, User, #{}),
    _ = ask(Wire, [<<"<resume xmlns='urn:xmpp:sm:3' h='">>, integer_to_binary(H), <<"' previd='">>, Id, <<"'/>">>],
            <<"<resumed ">>),
    _ = until(Wire, <<"/>">>),
    Wire.

%% @doc The stanzas among these bytes, whole ones only.
-spec stanzas(binary()) -> [#xmlel{}].
stanzas(Bytes) ->
    Stream = fxml_stream:parse(fxml_stream:new(self()), <<"<s>", Bytes/binary>>),
    Stanzas = parsed(),
    true = fxml_stream:close(Stream),
    [Stanza || #xmlel{name = Name} = Stanza <- Stanzas, lists:member(Name, [<<"message">>, <<"iq">>, <<"presence">>])].

parsed() ->
    receive
        {'$gen_event', {xmlstreamelement, Element}} -> [Element | parsed()];
        {'$gen_event', _} -> parsed()
    after 0 -> []
    end.

%%% Bytes

chunk(#{kind := websocket} = Wire) ->
    <<_:8, Short:8>> = exactly(Wire, 2),
    Length = case Short of
                 126 -> binary:decode_unsigned(exactly(Wire, 2));
                 127 -> binary:decode_unsigned(exactly(Wire, 8));
                 _ -> Short
             end,
    exactly(Wire, Length);
chunk(#{kind := bosh} = Wire) ->
    _ = [ok = post(Wire, <<>>, <<>>) || get({Wire, posts}) =:= []],
    [Socket | Later] = get({Wire, posts}),
    put({Wire, posts}, Later),
    Post = Wire#{socket := Socket},
    Head = raw_until(Post, <<"\r\n\r\n">>, <<>>),
    {match, [Length]} = re:run(Head, "Content-Length: ([0-9]+)", [caseless, {capture, [1], list}]),
    Body = exactly(Post, list_to_integer(Length)),
    ok = gen_tcp:close(Socket),
    _ = [put({Wire, sid}, Sid) || get({Wire, sid}) =:= undefined,
                                  {match, [Sid]} <- [re:run(Body, " sid='([^']+)'", [{capture, [1], binary}])]],
    re:replace(Body, "^<body[^>]*>|</body>$", <<>>, [global, {return, binary}]);
chunk(#{module := Module, socket := Socket}) ->
    {ok, Bytes} = Module:recv(Socket, 0, ?TIMEOUT),
    Bytes.

exactly(_Wire, 0) ->
    <<>>;
exactly(#{module := Module, socket := Socket}, Length) ->
    {ok, Bytes} = Module:recv(Socket, Length, ?TIMEOUT),
    Bytes.

raw_until(Wire, End, Received) ->
    case binary:match(Received, End) of
        nomatch -> raw_until(Wire, End, <<Received/binary, (exactly(Wire, 1))/binary>>);
        _ -> Received
    end.

%% One text frame, masked as a client must.
frame(Bytes) ->
    Length = byte_size(Bytes),
    Size = if Length < 126 -> <<1:1, Length:7>>;
              Length < 65536 -> <<1:1, 126:7, Length:16>>;
              true -> <<1:1, 127:7, Length:64>>
           end,
    Key = binary:copy(<<?MASK:32>>, Length div 4 + 1),
    [<<16#81>>, Size, <<?MASK:32>>, crypto:exor(Bytes, binary:part(Key, 0, Length))].

%% A request waits for its answer on a connection of its own.
post(#{socket := First} = Wire, Attrs, Content) ->
    {Rid, Posts} = case get({Wire, rid}) of
                       undefined -> {1000, []};
                       Last -> {Last + 1, get({Wire, posts})}
                   end,
    {ok, {Address, Port}} = inet:peername(First),
    {ok, Socket} = gen_tcp:connect(Address, Port, [binary, {active, false}, {nodelay, true}]),
    put({Wire, rid}, Rid),
    put({Wire, posts}, Posts ++ [Socket]),
    Sid = [[<<" sid='">>, S, <<"'">>] || S <- [get({Wire, sid})], S =/= undefined],
    Body = iolist_to_binary([<<"<body xmlns='http://jabber.org/protocol/httpbind' rid='">>, integer_to_binary(Rid), <<"'">>,
                             Sid, Attrs, <<">">>, Content, <<"</body>">>]),
    gen_tcp:send(Socket, [<<"POST /bosh HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: ">>,
                         integer_to_binary(byte_size(Body)), <<"\r\n\r\n">>, Body]).
