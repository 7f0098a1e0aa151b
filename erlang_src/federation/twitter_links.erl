%%% @doc Starts a {@link twitter_link} for each server to which a vhost owes something, and writes down what is
%%% owed when that is needed: to a server that does not answer, and when the plugin stops.
-module(twitter_links).
-behaviour(gen_server).

-include_lib("xmpp/include/xmpp.hrl").

-export([wake/2, leave/2, write_down/2, heard/1, sync/1, start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% So long changes are gathered before they are written down.
-define(WRITE_MS, 1_000).
%% So long after a link crashed another one is started.
-define(AGAIN_MS, 1_000).

-record(state, {server_host :: binary(),
                table :: twitter_outbox:table(),
                %% What is to be written down, and what was.
                dirty = #{} :: #{Bucket :: non_neg_integer() => true},
                written :: #{Bucket :: non_neg_integer() => true}}).

%% @doc Something is owed to these servers.
-spec wake(ServerHost :: binary(), [twitter_outbox:peer()]) -> ok.
wake(ServerHost, Peers) ->
    Table = twitter_outbox:name(ServerHost),
    lists:foreach(fun(Peer) ->
                          case twitter_outbox:link(Table, Peer) of
                              none -> gen_server:cast(name(ServerHost), {wake, Peer});
                              Link -> Link ! owed
                          end
                  end, Peers).

%% @doc The calling link has nothing to do any more.
-spec leave(ServerHost :: binary(), twitter_outbox:peer()) -> ok.
leave(ServerHost, Peer) ->
    gen_server:call(name(ServerHost), {leave, Peer}, infinity).

%% @doc What is owed to a server is to outlive ejabberd.
-spec write_down(ServerHost :: binary(), twitter_outbox:peer()) -> ok.
write_down(ServerHost, Peer) ->
    gen_server:cast(name(ServerHost), {write_down, Peer}).

%% @doc Hook `s2s_receive_packet': a server of which something came can be reached. Cost: two looks into a table.
-spec heard({stanza() | drop, State}) -> {stanza() | drop, State}.
heard({drop, _State} = Dropped) ->
    Dropped;
heard({Stanza, _State} = Received) ->
    #jid{lserver = To} = xmpp:get_to(Stanza),
    #jid{lserver = From} = xmpp:get_from(Stanza),
    ServerHost = ejabberd_router:host_of_route(To),
    lists:foreach(fun(Link) -> Link ! heard end,
                  [Link || Domain <- [From | above(From)], Link <- twitter_awaited:by(ServerHost, {server, Domain})]),
    case Stanza of
        #message{type = error, id = <<"twitter-", _/binary>> = Id} ->
            lists:foreach(fun(Courier) -> Courier ! {refused, Id} end, twitter_awaited:by(ServerHost, {error, Id}));
        _ ->
            ok
    end,
    Received.

above(Domain) ->
    case binary:split(Domain, <<".">>) of
        [_, Above] -> [Above];
        [_] -> []
    end.

%% @doc Returns when all has been sent to those servers that can be reached now: for tests.
-spec sync(ServerHost :: binary()) -> ok.
sync(ServerHost) ->
    Table = twitter_outbox:name(ServerHost),
    try gen_server:call(name(ServerHost), sync, infinity) of
        Links -> lists:foreach(fun(Peer) -> sync(Table, Peer) end, Links)
    catch
        exit:{_, {gen_server, call, _}} -> ok
    end.

sync(Table, Peer) ->
    case twitter_outbox:link(Table, Peer) of
        none -> ok;
        Link ->
            try
                gen_server:call(Link, sync, infinity)
            catch
                %% It had nothing to do any more.
                exit:{_, {gen_server, call, _}} -> ok
            end
    end.

name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

-spec start_link(ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost) ->
    gen_server:start_link({local, name(ServerHost)}, ?MODULE, ServerHost, []).

%% @private
-spec init(ServerHost :: binary()) -> {ok, #state{}}.
init(ServerHost) ->
    process_flag(trap_exit, true),
    Table = twitter_outbox:name(ServerHost),
    Peers = twitter_outbox:peers(Table),
    lists:foreach(fun(Peer) -> ok = twitter_outbox:unregister(Table, Peer) end, twitter_outbox:linked(Table)),
    lists:foreach(fun(Peer) -> self() ! {again, Peer} end, Peers),
    {ok, #state{server_host = ServerHost, table = Table,
                written = maps:from_keys([twitter_outbox:bucket(Peer) || Peer <- Peers], true)}}.

%% @private
-spec handle_call({leave, twitter_outbox:peer()} | sync | term(), gen_server:from(), #state{}) ->
          {reply, ok | [twitter_outbox:peer()] | {error, unknown_request}, #state{}}.
handle_call({leave, Peer}, _From, #state{table = Table, written = Written} = State) ->
    ok = twitter_outbox:unregister(Table, Peer),
    Bucket = twitter_outbox:bucket(Peer),
    {reply, ok, case is_map_key(Bucket, Written) of
                    true -> dirty(Bucket, State);
                    false -> State
                end};
handle_call(sync, _From, #state{table = Table} = State) ->
    {reply, twitter_outbox:linked(Table), State};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast({wake | write_down, twitter_outbox:peer()} | term(), #state{}) -> {noreply, #state{}}.
handle_cast({wake, Peer}, State) ->
    {noreply, started(Peer, State)};
handle_cast({write_down, Peer}, State) ->
    {noreply, dirty(twitter_outbox:bucket(Peer), State)};
handle_cast(_Message, State) ->
    {noreply, State}.

started(Peer, #state{server_host = ServerHost, table = Table} = State) ->
    case twitter_outbox:link(Table, Peer) of
        none ->
            {ok, Link} = twitter_link:start_link(ServerHost, Peer),
            ok = twitter_outbox:register(Table, Peer, Link);
        Link ->
            Link ! owed
    end,
    State.

dirty(Bucket, #state{dirty = Dirty} = State) ->
    _ = [erlang:send_after(?WRITE_MS, self(), write) || map_size(Dirty) =:= 0],
    State#state{dirty = Dirty#{Bucket => true}}.

%% @private
-spec handle_info(write | {again, twitter_outbox:peer()} | {'EXIT', pid(), term()} | term(), #state{}) ->
          {noreply, #state{}} | {stop, term(), #state{}}.
handle_info(write, #state{dirty = Dirty} = State) ->
    {noreply, written(maps:keys(Dirty), State#state{dirty = #{}})};
handle_info({again, Peer}, #state{table = Table} = State) ->
    case twitter_outbox:is_owed(Table, Peer) of
        true -> {noreply, started(Peer, State)};
        false -> {noreply, State}
    end;
handle_info({'EXIT', Link, _Reason}, #state{table = Table} = State) ->
    %% One that has left is not there any more.
    lists:foreach(fun(Peer) ->
                          ok = twitter_outbox:unregister(Table, Peer),
                          erlang:send_after(?AGAIN_MS, self(), {again, Peer})
                  end, twitter_outbox:linked(Table, Link)),
    {noreply, State};
handle_info(_Message, State) ->
    {noreply, State}.

written(Buckets, #state{server_host = ServerHost, written = Written} = State) ->
    Changed = maps:from_list([{Bucket, twitter_outbox:write(ServerHost, Bucket)} || Bucket <- Buckets]),
    _ = twitter_private:sync(),
    State#state{written = maps:filter(fun(_Bucket, Anything) -> Anything end, maps:merge(Written, Changed))}.

%% @private
-spec terminate(term(), #state{}) -> ok.
terminate(shutdown, #state{table = Table, written = Written} = State) ->
    %% Those who send end before what they had begun is written down.
    lists:foreach(fun(Peer) -> stop(twitter_outbox:link(Table, Peer)) end, twitter_outbox:linked(Table)),
    Buckets = [twitter_outbox:bucket(Peer) || Peer <- twitter_outbox:peers(Table)],
    _ = written(lists:usort(Buckets ++ maps:keys(Written)), State),
    ok;
terminate(_Crash, _State) ->
    ok.

stop(none) ->
    ok;
stop(Link) ->
    Monitor = monitor(process, Link),
    exit(Link, shutdown),
    receive
        {'DOWN', Monitor, process, Link, _} -> ok
    end.
