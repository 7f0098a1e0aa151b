%%% What connects one server with another: connections to its port go on to the other one's, can be cut and
%%% mended, and it is counted what they carry. One direction only: a server that answers connects by itself.
-module(twitter_cable).
-behaviour(gen_server).

-include_lib("fast_xml/include/fxml.hrl").

-export([start/1, stop/1, port/1, cut/1, mend/1, carried/1, bytes/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export_type([cable/0]).

-type cable() :: pid().
-record(state, {
    to :: inet:port_number(),
    port :: inet:port_number(),
    listener :: gen_tcp:socket() | cut,
    acceptor :: pid() | none,
    connections = [] :: [pid()],
    bytes :: counters:counters_ref(),
    %% Stanzas, the newest first.
    carried = [] :: [#xmlel{}]
}).

%% @doc Starts one to a port of this machine.
-spec start(inet:port_number()) -> cable().
start(To) ->
    {ok, Cable} = gen_server:start(?MODULE, To, []),
    Cable.

-spec stop(cable()) -> ok.
stop(Cable) ->
    gen_server:stop(Cable).

%% @doc Where it begins.
-spec port(cable()) -> inet:port_number().
port(Cable) ->
    gen_server:call(Cable, port).

%% @doc Drops all connections, and takes no new ones.
-spec cut(cable()) -> ok.
cut(Cable) ->
    gen_server:call(Cable, cut).

-spec mend(cable()) -> ok.
mend(Cable) ->
    gen_server:call(Cable, mend).

%% @doc Takes the stanzas that were carried until now, in their order.
-spec carried(cable()) -> [#xmlel{}].
carried(Cable) ->
    gen_server:call(Cable, carried).

%% @doc How many bytes were carried since it was asked last, in both directions of its connections.
-spec bytes(cable()) -> non_neg_integer().
bytes(Cable) ->
    gen_server:call(Cable, bytes).

-spec init(inet:port_number()) -> {ok, #state{}}.
init(To) ->
    _ = process_flag(trap_exit, true),
    {ok, listening(#state{to = To, port = 0, listener = cut, acceptor = none, bytes = counters:new(1, [])})}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call(port, _From, #state{port = Port} = State) ->
    {reply, Port, State};
handle_call(cut, _From, State) ->
    {reply, ok, closed(State)};
handle_call(mend, _From, #state{listener = cut} = State) ->
    {reply, ok, listening(State)};
handle_call(carried, _From, #state{carried = Carried} = State) ->
    {reply, lists:reverse(Carried), State#state{carried = []}};
handle_call(bytes, _From, #state{bytes = Bytes} = State) ->
    Count = counters:get(Bytes, 1),
    ok = counters:sub(Bytes, 1, Count),
    {reply, Count, State}.

-spec handle_cast({carried, #xmlel{}}, #state{}) -> {noreply, #state{}}.
handle_cast({carried, Stanza}, #state{carried = Carried} = State) ->
    {noreply, State#state{carried = [Stanza | Carried]}}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({connection, Connection}, #state{connections = Connections} = State) ->
    {noreply, State#state{connections = [Connection | Connections]}};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, State) ->
    _ = closed(State),
    ok.

listening(#state{port = Wanted, to = To, bytes = Bytes} = State) ->
    {ok, Listener} = gen_tcp:listen(Wanted, [binary, {ip, {127, 0, 0, 1}}, {active, false}, {reuseaddr, true}]),
    {ok, Port} = inet:port(Listener),
    Cable = self(),
    Acceptor = spawn_link(fun() -> accept(Listener, To, Cable, Bytes) end),
    State#state{port = Port, listener = Listener, acceptor = Acceptor}.

closed(#state{listener = cut} = State) ->
    State;
closed(#state{listener = Listener, acceptor = Acceptor} = State) ->
    ok = gen_tcp:close(Listener),
    true = exit(Acceptor, kill),
    receive
        {'EXIT', Acceptor, _} -> ok
    end,
    %% Nothing passes any more when all connections have ended.
    lists:foreach(fun ended/1, State#state.connections ++ announced()),
    State#state{listener = cut, acceptor = none, connections = []}.

announced() ->
    receive
        {connection, Connection} -> [Connection | announced()]
    after 0 -> []
    end.

ended(Connection) ->
    Monitor = monitor(process, Connection),
    true = exit(Connection, kill),
    receive
        {'DOWN', Monitor, process, Connection, _} -> ok
    end.

accept(Listener, To, Cable, Bytes) ->
    case gen_tcp:accept(Listener) of
        {ok, In} ->
            Connection = spawn_link(fun() -> connect(In, To, Cable, Bytes) end),
            Cable ! {connection, Connection},
            ok = gen_tcp:controlling_process(In, Connection),
            Connection ! yours,
            accept(Listener, To, Cable, Bytes);
        %% The program ends.
        {error, closed} ->
            ok
    end.

connect(In, To, Cable, Bytes) ->
    receive
        yours -> ok
    end,
    case gen_tcp:connect({127, 0, 0, 1}, To, [binary, {active, true}, {nodelay, true}]) of
        {ok, Out} ->
            ok = inet:setopts(In, [{active, true}, {nodelay, true}]),
            carry(In, Out, fxml_stream:new(self()), Cable, Bytes);
        {error, _} ->
            gen_tcp:close(In)
    end.

carry(In, Out, Parser, Cable, Bytes) ->
    receive
        {tcp, In, Data} ->
            ok = counters:add(Bytes, 1, byte_size(Data)),
            _ = gen_tcp:send(Out, Data),
            carry(In, Out, fxml_stream:parse(Parser, Data), Cable, Bytes);
        {tcp, Out, Data} ->
            ok = counters:add(Bytes, 1, byte_size(Data)),
            _ = gen_tcp:send(In, Data),
            carry(In, Out, Parser, Cable, Bytes);
        {'$gen_event', {xmlstreamelement, #xmlel{name = Name} = Stanza}} ->
            IsStanza = lists:member(Name, [<<"message">>, <<"presence">>, <<"iq">>]),
            _ = [gen_server:cast(Cable, {carried, Stanza}) || IsStanza],
            carry(In, Out, Parser, Cable, Bytes);
        {'$gen_event', _} ->
            carry(In, Out, Parser, Cable, Bytes);
        %% The sockets go with their process.
        {tcp_closed, _} ->
            ok;
        {tcp_error, _, _} ->
            ok
    end.
