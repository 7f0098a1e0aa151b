%%% A small XMPP client for the suites: a real TCP connection, real XML.
%%%
%%% A client is a process that keeps the stanzas it received, in their order, until
%%% somebody asks for them. Nothing here sleeps: expect/3 waits for a stanza, and
%%% sync/1 proves that none came, by an answer that can only come after it.
-module(twitter_client).
-behaviour(gen_server).

-include_lib("fast_xml/include/fxml.hrl").

-export([connect/3, connect/4, anonymous/2, close/1, abort/1]).
-export([jid/1, bare/1]).
-export([send/2, request/2, request/3, raw/2]).
-export([expect/2, expect/3, sync/1, flush/1, refute/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-export_type([client/0, user/0, stanza/0, match/0, options/0]).

-type client() :: pid().
-type user() :: {Name :: binary(), Host :: binary()}.
%% XML as text or as an element.
-type stanza() :: iodata() | #xmlel{}.
%% Says which stanza is meant.
-type match() :: fun((#xmlel{}) -> boolean()).
-type options() :: #{
    %% Default: one the server makes up.
    resource => binary(),
    %% The first presence; `none' to stay unavailable. Default 0.
    priority => integer() | none,
    %% The language of the stream.
    lang => binary(),
    %% The client ends when this process does; default: the caller.
    owner => pid()
}.

-define(TIMEOUT, 10_000).

-record(state, {
    socket :: gen_tcp:socket(),
    parser :: fxml_stream:xml_stream_state(),
    jid = <<>> :: binary(),
    %% Received and not yet asked for, newest first.
    received = [] :: [#xmlel{}],
    %% Who waits for what, oldest first.
    waiting = [] :: [{gen_server:from(), match(), reference() | none}],
    %% False once the server has closed the stream.
    open = true :: boolean()
}).

%%% Connecting

-spec connect(twitter_server:server(), user(), Password :: binary()) -> client().
connect(Server, User, Password) ->
    connect(Server, User, Password, #{}).

%% @doc Logs in, binds a resource, and sends the first presence. Returns when the
%% server has handled it.
-spec connect(twitter_server:server(), user(), Password :: binary(), options()) -> client().
connect(Server, {Name, Host}, Password, Options) ->
    Secret = base64:encode(<<0, Name/binary, 0, Password/binary>>),
    login(Server, Host, <<"PLAIN">>, Secret, Options).

%% @doc Logs in by SASL ANONYMOUS.
-spec anonymous(twitter_server:server(), Host :: binary()) -> client().
anonymous(Server, Host) ->
    login(Server, Host, <<"ANONYMOUS">>, <<>>, #{}).

login(Server, Host, Mechanism, Secret, Options) ->
    Owner = maps:get(owner, Options, self()),
    {ok, Client} = gen_server:start(?MODULE, {twitter_server:port(Server), Owner}, []),
    try
        ok = open_stream(Client, Host, Options),
        raw(Client, [
            <<"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='">>, Mechanism, <<"'>">>,
            Secret, <<"</auth>">>
        ]),
        case expect(Client, one_of([<<"success">>, <<"failure">>])) of
            #xmlel{name = <<"success">>} -> ok;
            Failure -> error({login_failed, Failure})
        end,
        ok = gen_server:call(Client, reset_stream),
        ok = open_stream(Client, Host, Options),
        ok = bind(Client, Options),
        announce(Client, maps:get(priority, Options, 0)),
        Client
    catch
        Class:Reason:Stack ->
            ok = abort(Client),
            erlang:raise(Class, Reason, Stack)
    end.

open_stream(Client, Host, Options) ->
    raw(Client, [
        <<"<stream:stream xmlns='jabber:client' version='1.0' ">>,
        [[<<"xml:lang='">>, Lang, <<"' ">>] || Lang <- maps:values(maps:with([lang], Options))],
        <<"xmlns:stream='http://etherx.jabber.org/streams' to='">>, Host, <<"'>">>
    ]),
    #xmlel{} = expect(Client, one_of([<<"stream:features">>])),
    ok.

bind(Client, Options) ->
    Resource = [
        [<<"<resource>">>, fxml:crypt(Name), <<"</resource>">>]
     || Name <- maps:values(maps:with([resource], Options))
    ],
    Bound = request(Client, [
        <<"<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>">>,
        Resource,
        <<"</bind></iq>">>
    ]),
    Jid = fxml:get_path_s(Bound, [{elem, <<"bind">>}, {elem, <<"jid">>}, cdata]),
    gen_server:call(Client, {bound, Jid}).

announce(_Client, none) ->
    ok;
announce(Client, Priority) ->
    send(Client, [
        <<"<presence><priority>">>, integer_to_binary(Priority), <<"</priority></presence>">>
    ]),
    Self = jid(Client),
    %% The server sends a user's presence back to him.
    IsOwn = fun(#xmlel{name = Name} = Stanza) ->
        Name =:= <<"presence">> andalso fxml:get_tag_attr_s(<<"from">>, Stanza) =:= Self
    end,
    #xmlel{} = expect(Client, IsOwn),
    ok.

%% @doc Logs out in good order: returns when the server has closed the stream.
-spec close(client()) -> ok.
close(Client) ->
    raw(Client, <<"</stream:stream>">>),
    {closed, _} = gen_server:call(Client, {expect, fun(_) -> false end, ?TIMEOUT}, infinity),
    gen_server:stop(Client).

%% @doc Drops the connection without a word.
-spec abort(client()) -> ok.
abort(Client) ->
    gen_server:stop(Client).

%% @doc The full JID the server has bound.
-spec jid(client()) -> binary().
jid(Client) ->
    gen_server:call(Client, jid).

-spec bare(client()) -> binary().
bare(Client) ->
    hd(binary:split(jid(Client), <<"/">>)).

%%% Sending

-spec send(client(), stanza()) -> ok.
send(Client, #xmlel{} = Stanza) ->
    raw(Client, fxml:element_to_binary(Stanza));
send(Client, Text) ->
    raw(Client, Text).

%% @doc Sends bytes as they are.
-spec raw(client(), iodata()) -> ok.
raw(Client, Bytes) ->
    gen_server:call(Client, {send, Bytes}).

%% @doc Sends an IQ under a new id and returns its answer, result or error.
-spec request(client(), stanza()) -> #xmlel{}.
request(Client, Iq) ->
    request(Client, Iq, ?TIMEOUT).

-spec request(client(), stanza(), timeout()) -> #xmlel{}.
request(Client, #xmlel{name = <<"iq">>} = Iq, Timeout) ->
    Id = integer_to_binary(erlang:unique_integer([positive])),
    send(Client, fxml:replace_tag_attr(<<"id">>, Id, Iq)),
    IsAnswer = fun(#xmlel{name = Name} = Stanza) ->
        Name =:= <<"iq">> andalso
            fxml:get_tag_attr_s(<<"id">>, Stanza) =:= Id andalso
            lists:member(fxml:get_tag_attr_s(<<"type">>, Stanza), [<<"result">>, <<"error">>])
    end,
    expect(Client, IsAnswer, Timeout);
request(Client, Text, Timeout) ->
    case fxml_stream:parse_element(iolist_to_binary(Text)) of
        #xmlel{} = Iq -> request(Client, Iq, Timeout);
        {error, Reason} -> error({not_xml, Reason, iolist_to_binary(Text)})
    end.

%%% Receiving

-spec expect(client(), match()) -> #xmlel{}.
expect(Client, Match) ->
    expect(Client, Match, ?TIMEOUT).

%% @doc Takes the first received stanza that matches, and waits for it if need be.
%% Other stanzas stay where they are. What is left is shown when it does not come.
-spec expect(client(), match(), timeout()) -> #xmlel{}.
expect(Client, Match, Timeout) ->
    case gen_server:call(Client, {expect, Match, Timeout}, infinity) of
        {ok, Stanza} -> Stanza;
        {timeout, Rest} -> error({not_received, Rest});
        {closed, Rest} -> error({connection_closed, Rest})
    end.

%% @doc Asks the server something and returns, in their order, all stanzas that
%% were received before its answer and that nobody has taken. What the server had
%% sent to this session by now is among them.
-spec sync(client()) -> [#xmlel{}].
sync(Client) ->
    #xmlel{} = request(Client, <<"<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>">>),
    flush(Client).

%% @doc Takes what has been received, without asking the server.
-spec flush(client()) -> [#xmlel{}].
flush(Client) ->
    gen_server:call(Client, flush).

%% @doc Proves by a round trip that no stanza of that kind was sent to this session.
%% Takes the others.
-spec refute(client(), match()) -> ok.
refute(Client, Match) ->
    case lists:filter(Match, sync(Client)) of
        [] -> ok;
        Unwanted -> error({received, Unwanted})
    end.

-spec one_of([binary()]) -> match().
one_of(Names) ->
    fun(#xmlel{name = Name}) -> lists:member(Name, Names) end.

%%% The process

-spec init({inet:port_number(), Owner :: pid()}) -> {ok, #state{}}.
init({Port, Owner}) ->
    _ = monitor(process, Owner),
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, true}, {nodelay, true}]),
    {ok, #state{socket = Socket, parser = fxml_stream:new(self())}}.

-spec handle_call(term(), gen_server:from(), #state{}) ->
    {reply, term(), #state{}} | {noreply, #state{}}.
handle_call({send, Bytes}, _From, #state{socket = Socket} = State) ->
    {reply, gen_tcp:send(Socket, Bytes), State};
handle_call({expect, Match, Timeout}, From, #state{waiting = Waiting} = State) ->
    case take_first(Match, lists:reverse(State#state.received)) of
        {Stanza, Rest} ->
            {reply, {ok, Stanza}, State#state{received = lists:reverse(Rest)}};
        none when State#state.open ->
            Timer = start_timer(Timeout, From),
            {noreply, State#state{waiting = Waiting ++ [{From, Match, Timer}]}};
        none ->
            {reply, {closed, lists:reverse(State#state.received)}, State}
    end;
handle_call(flush, _From, State) ->
    {reply, lists:reverse(State#state.received), State#state{received = []}};
handle_call(reset_stream, _From, #state{parser = Parser} = State) ->
    true = fxml_stream:close(Parser),
    {reply, ok, State#state{parser = fxml_stream:new(self())}};
handle_call({bound, Jid}, _From, State) ->
    {reply, ok, State#state{jid = Jid}};
handle_call(jid, _From, State) ->
    {reply, State#state.jid, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {stop, normal, #state{}}.
handle_info({tcp, Socket, Bytes}, #state{socket = Socket, parser = Parser} = State) ->
    {noreply, State#state{parser = fxml_stream:parse(Parser, Bytes)}};
handle_info({tcp_closed, Socket}, #state{socket = Socket} = State) ->
    {noreply, closed(State)};
handle_info({'$gen_event', {xmlstreamelement, Stanza}}, State) ->
    {noreply, received(Stanza, State)};
handle_info({'$gen_event', {xmlstreamend, _}}, State) ->
    {noreply, closed(State)};
handle_info({gave_up, From}, #state{waiting = Waiting} = State) ->
    case lists:keytake(From, 1, Waiting) of
        {value, _, Others} ->
            gen_server:reply(From, {timeout, lists:reverse(State#state.received)}),
            {noreply, State#state{waiting = Others}};
        false ->
            {noreply, State}
    end;
handle_info({'DOWN', _, process, _Owner, _}, State) ->
    {stop, normal, State};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, #state{socket = Socket}) ->
    gen_tcp:close(Socket).

received(Stanza, #state{waiting = Waiting, received = Received} = State) ->
    case take_first(fun({_From, Match, _Timer}) -> Match(Stanza) end, Waiting) of
        {{From, _, Timer}, Others} ->
            stop_timer(Timer),
            gen_server:reply(From, {ok, Stanza}),
            State#state{waiting = Others};
        none ->
            State#state{received = [Stanza | Received]}
    end.

closed(#state{waiting = Waiting} = State) ->
    Rest = lists:reverse(State#state.received),
    lists:foreach(
        fun({From, _, Timer}) ->
            stop_timer(Timer),
            gen_server:reply(From, {closed, Rest})
        end,
        Waiting
    ),
    State#state{waiting = [], open = false}.

start_timer(infinity, _From) -> none;
start_timer(Timeout, From) -> erlang:send_after(Timeout, self(), {gave_up, From}).

stop_timer(none) -> ok;
stop_timer(Timer) -> _ = erlang:cancel_timer(Timer), ok.

take_first(Match, List) ->
    case lists:splitwith(fun(Element) -> not Match(Element) end, List) of
        {_All, []} -> none;
        {Before, [First | After]} -> {First, Before ++ After}
    end.
