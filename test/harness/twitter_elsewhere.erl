%%% Another server, as far as the one under test can tell: a component (XEP-0114) for each of its domains. It
%%% answers service discovery, and says whatever a case wants it to say.
-module(twitter_elsewhere).
-behaviour(gen_server).

-include_lib("fast_xml/include/fxml.hrl").

-export([start/3, stop/1, list/2, silence/1, send/2, request/4, asked/1, sync/2, received/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export_type([elsewhere/0]).

-type elsewhere() :: pid().
-define(NS_ITEMS, <<"http://jabber.org/protocol/disco#items">>).
-define(NS_INFO, <<"http://jabber.org/protocol/disco#info">>).

-record(state, {
    socket :: gen_tcp:socket(),
    parser :: fxml_stream:xml_stream_state(),
    domain :: binary(),
    ready = none :: gen_server:from() | none,
    %% What it lists, the requests that wait for answers, how often it was asked what it lists.
    listed :: [binary()] | silent,
    waiting = #{} :: #{binary() => gen_server:from()},
    asked = 0 :: non_neg_integer(),
    received = [] :: [#xmlel{}]
}).

%% @doc Logs a domain in that lists these services as its own.
-spec start(inet:port_number(), Domain :: binary(), Listed :: [binary()]) -> elsewhere().
start(Port, Domain, Listed) ->
    {ok, Elsewhere} = gen_server:start(?MODULE, {Port, Domain, Listed, self()}, []),
    ok = gen_server:call(Elsewhere, login, 10_000),
    Elsewhere.

-spec stop(elsewhere()) -> ok.
stop(Elsewhere) ->
    gen_server:stop(Elsewhere).

%% @doc From now on it lists these.
-spec list(elsewhere(), [binary()]) -> ok.
list(Elsewhere, Listed) ->
    gen_server:call(Elsewhere, {list, Listed}).

%% @doc From now on it does not answer.
-spec silence(elsewhere()) -> ok.
silence(Elsewhere) ->
    gen_server:call(Elsewhere, {list, silent}).

%% @doc Sends a stanza as it is.
-spec send(elsewhere(), iodata() | #xmlel{}) -> ok.
send(Elsewhere, #xmlel{} = Stanza) -> send(Elsewhere, fxml:element_to_binary(Stanza));
send(Elsewhere, Stanza) -> gen_server:call(Elsewhere, {send, Stanza}).

%% @doc Sends a request from an address of this domain; returns the answer.
-spec request(elsewhere(), From :: binary(), To :: binary(), {Type :: binary(), iodata() | #xmlel{}}) -> #xmlel{}.
request(Elsewhere, From, To, {Type, #xmlel{} = Payload}) ->
    request(Elsewhere, From, To, {Type, fxml:element_to_binary(Payload)});
request(Elsewhere, From, To, {Type, Payload}) ->
    Id = integer_to_binary(erlang:unique_integer([positive])),
    gen_server:call(Elsewhere, {request, Id, [
        <<"<iq from='">>, From, <<"' to='">>, To, <<"' type='">>, Type, <<"' id='">>, Id, <<"'>">>, Payload, <<"</iq>">>
    ]}, 30_000).

%% @doc How often somebody wanted to know what it lists.
-spec asked(elsewhere()) -> non_neg_integer().
asked(Elsewhere) ->
    gen_server:call(Elsewhere, asked).

%% @doc Returns when the server has handled all that was sent, and the process that believes it or not has as
%% well.
-spec sync(twitter_server:server(), elsewhere()) -> ok.
sync(Server, Elsewhere) ->
    Domain = gen_server:call(Elsewhere, domain),
    _ = request(Elsewhere, Domain, <<"localhost">>, {<<"get">>, <<"<ping xmlns='urn:xmpp:ping'/>">>}),
    ok = twitter_server:call(Server, twitter_inbox, sync, [<<"localhost">>]),
    twitter_server:settle(Server, <<"pubsub.localhost">>).

%% @doc Takes the stanzas that came, but for answers.
-spec received(elsewhere()) -> [#xmlel{}].
received(Elsewhere) ->
    gen_server:call(Elsewhere, received).

%%% The process

-spec init(term()) -> {ok, #state{}}.
init({Port, Domain, Listed, Owner}) ->
    _ = monitor(process, Owner),
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, true}, {nodelay, true}]),
    {ok, #state{socket = Socket, parser = fxml_stream:new(self()), domain = Domain, listed = Listed}}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}} | {noreply, #state{}}.
handle_call(login, From, #state{domain = Domain} = State) ->
    write(State, [
        <<"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='">>,
        Domain, <<"'>">>
    ]),
    {noreply, State#state{ready = From}};
handle_call({list, Listed}, _From, State) ->
    {reply, ok, State#state{listed = Listed}};
handle_call({send, Stanza}, _From, State) ->
    {reply, write(State, Stanza), State};
handle_call({request, Id, Stanza}, From, #state{waiting = Waiting} = State) ->
    ok = write(State, Stanza),
    {noreply, State#state{waiting = Waiting#{Id => From}}};
handle_call(asked, _From, #state{asked = Asked} = State) ->
    {reply, Asked, State};
handle_call(domain, _From, #state{domain = Domain} = State) ->
    {reply, Domain, State};
handle_call(received, _From, #state{received = Received} = State) ->
    {reply, lists:reverse(Received), State#state{received = []}}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {stop, normal, #state{}}.
handle_info({tcp, Socket, Bytes}, #state{socket = Socket, parser = Parser} = State) ->
    {noreply, State#state{parser = fxml_stream:parse(Parser, Bytes)}};
handle_info({'$gen_event', {xmlstreamstart, _Name, Attrs}}, State) ->
    Digest = crypto:hash(sha, [fxml:get_attr_s(<<"id">>, Attrs), <<"secret">>]),
    Hex = string:lowercase(binary:encode_hex(Digest)),
    ok = write(State, [<<"<handshake>">>, Hex, <<"</handshake>">>]),
    {noreply, State};
handle_info({'$gen_event', {xmlstreamelement, #xmlel{name = <<"handshake">>}}}, #state{ready = From} = State) ->
    gen_server:reply(From, ok),
    {noreply, State#state{ready = none}};
handle_info({'$gen_event', {xmlstreamelement, #xmlel{name = <<"iq">>} = Iq}}, #state{waiting = Waiting} = State) ->
    Id = fxml:get_tag_attr_s(<<"id">>, Iq),
    case fxml:get_tag_attr_s(<<"type">>, Iq) of
        <<"get">> ->
            {noreply, answered(Iq, State)};
        <<"set">> ->
            {noreply, State#state{received = [Iq | State#state.received]}};
        _ when is_map_key(Id, Waiting) ->
            {From, Others} = maps:take(Id, Waiting),
            gen_server:reply(From, Iq),
            {noreply, State#state{waiting = Others}};
        _ ->
            {noreply, State}
    end;
handle_info({'$gen_event', {xmlstreamelement, Stanza}}, State) ->
    {noreply, State#state{received = [Stanza | State#state.received]}};
handle_info({'DOWN', _, process, _Owner, _}, State) ->
    {stop, normal, State};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, #state{socket = Socket}) ->
    gen_tcp:close(Socket).

%% Service discovery.
answered(_Iq, #state{listed = silent} = State) ->
    State;
answered(Iq, #state{listed = Listed, asked = Asked} = State) ->
    [To, From, Id] = [fxml:get_tag_attr_s(Name, Iq) || Name <- [<<"to">>, <<"from">>, <<"id">>]],
    Namespaces = [fxml:get_tag_attr_s(<<"xmlns">>, El) || #xmlel{name = <<"query">>} = El <- Iq#xmlel.children],
    {Answer, Now} =
        case Namespaces of
            [?NS_ITEMS] ->
                {[<<"<query xmlns='">>, ?NS_ITEMS, <<"'>">>, [[<<"<item jid='">>, Service, <<"'/>">>] || Service <- Listed],
                  <<"</query>">>], Asked + 1};
            _ ->
                {[<<"<query xmlns='">>, ?NS_INFO, <<"'><identity category='server' type='im'/></query>">>], Asked}
        end,
    ok = write(State, [
        <<"<iq type='result' from='">>, To, <<"' to='">>, From, <<"' id='">>, Id, <<"'>">>, Answer, <<"</iq>">>
    ]),
    State#state{asked = Now}.

write(#state{socket = Socket}, Bytes) ->
    gen_tcp:send(Socket, Bytes).
