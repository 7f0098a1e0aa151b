%%% @doc The plugin on the other nodes of a cluster. Wherever it runs for a vhost, a process of it is a member of a
%%% group of `pg', and that is all that is known of membership: a node without the plugin, or where it is stopped, is
%%% none.
%%%
%%% Whoever changes what is stored of an author tells the members: of each change one message goes to each of them, with
%%% what their indexes have to know, and the post for their fan-out. He goes on when all have done so, or are gone, so
%%% that every node shows what is stored as soon as the client has its answer.
%%%
%%% Who was no member when something changed was not told of it. So when somebody joins, or leaves, all forget what is in
%%% their indexes. Each member tells those who have joined to do so once more: what was stored before it knew of them is in
%%% storage by then.
-module(twitter_cluster).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").

-export([members/1, owner/2, tell/3, deliver/2, forget/1]).
-export([start_link/1, name/1, scope/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export_type([told/0]).

%% How long a member may take to answer. Storage that is shared has to wait for it anyway, so this is for one that is
%% connected, and stuck.
-define(ANSWER_MS, 5_000).

%% So long after a node has gone it is looked once more who waits for it.
-define(WENT_MS, 500).

-type told() :: {index, Host :: binary(), Author :: twitter_nif:jid(), twitter_index:change()}
              | {post, twitter_fanout:post()}
              | {drop, Author :: twitter_nif:jid()}.
%% Of an index; a post for the sessions there; none of an author's posts waits any longer.

-record(state, {server_host :: binary(), group :: reference()}).

%% @doc The processes of the plugin for this vhost on other nodes. Cost: a look into a table.
-spec members(ServerHost :: binary()) -> [pid()].
members(ServerHost) ->
    [Member || Member <- pg:get_members(scope(ServerHost), ServerHost), node(Member) =/= node()].

%% @doc On which node the changes of those authors are put in order whose writers have this number. Nodes that know of the
%% same members agree; when one comes or goes, only what is its own moves.
-spec owner(ServerHost :: binary(), Number :: pos_integer()) -> node().
owner(ServerHost, Number) ->
    Nodes = [node() | [node(Member) || Member <- members(ServerHost)]],
    {_, Owner} = lists:max([{erlang:phash2({Node, Number}), Node} || Node <- Nodes]),
    Owner.

%% @doc The members are to know this about an author. If his writer runs for him, he tells it when he has ended: then it is in
%% storage for all, and all that he did goes in one message. Else this returns when they know it.
-spec tell(ServerHost :: binary(), {Host :: binary(), Author :: twitter_nif:jid()}, told()) -> ok.
tell(ServerHost, Whose, Told) ->
    case twitter_writer:collects(ServerHost, Whose, Told) of
        true -> ok;
        false -> deliver(ServerHost, [Told])
    end.

%% @doc Tells all this to the members, and returns when they know it.
-spec deliver(ServerHost :: binary(), [told()]) -> ok.
deliver(_ServerHost, []) ->
    ok;
deliver(ServerHost, Told) ->
    case members(ServerHost) of
        [] -> ok;
        Members -> ask(Members, {told, once(Told)})
    end.

%% @doc The members forget what they have in memory of this vhost, and read it anew.
-spec forget(ServerHost :: binary()) -> ok.
forget(ServerHost) ->
    ask(members(ServerHost), forget).

ask(Members, Message) ->
    Requests = [{Member, gen_server:send_request(Member, Message)} || Member <- Members],
    Deadline = erlang:monotonic_time(millisecond) + ?ANSWER_MS,
    lists:foreach(fun({Member, Request}) -> await(Member, Request, Deadline) end, Requests).

await(Member, Request, Deadline) ->
    Left = max(0, Deadline - erlang:monotonic_time(millisecond)),
    case gen_server:receive_response(Request, Left) of
        {reply, ok} ->
            ok;
        {error, _} ->
            %% It is gone. What it has in its index goes with it, or when it joins again.
            ok;
        timeout ->
            ?WARNING_MSG("The node ~ts has not answered for ~b s. It is told of posts all the same, but its pages may "
                         "lack some of them until it does", [node(Member), ?ANSWER_MS div 1000])
    end.

%% A payload is both for the index and for the sessions.
once(Told) ->
    Pushed = [{Author, Id, Payload} || {post, #{author := Author, what := {item, Id, Payload}}} <- Told],
    lists:map(fun({index, Host, Author, {put, #{id := Id, payload := Payload} = Post}} = Each) ->
                      case lists:member({Author, Id, Payload}, Pushed) of
                          true -> {index, Host, Author, {put, Post#{payload := pushed}}};
                          false -> Each
                      end;
                 (Each) ->
                      Each
              end, Told).

both(Told) ->
    Pushed = maps:from_list([{{Author, Id}, Payload}
                             || {post, #{author := Author, what := {item, Id, Payload}}} <- Told]),
    lists:map(fun({index, Host, Author, {put, #{id := Id, payload := pushed} = Post}}) ->
                      {index, Host, Author, {put, Post#{payload := maps:get({Author, Id}, Pushed)}}};
                 (Each) ->
                      Each
              end, Told).

%%% The process

-spec start_link(ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost) ->
    gen_server:start_link({local, name(ServerHost)}, ?MODULE, ServerHost, []).

%% @doc The name of the process, which is the same on all nodes.
-spec name(ServerHost :: binary()) -> atom().
name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%% @doc The scope of the groups of a vhost.
-spec scope(ServerHost :: binary()) -> atom().
scope(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, twitter_members).

%% @private
-spec init(ServerHost :: binary()) -> {ok, #state{}}.
init(ServerHost) ->
    Scope = scope(ServerHost),
    ok = twitter_sup:await_ends([Scope]),
    %% They live and end together, so that it is a member whenever it can be told anything.
    {ok, _} = pg:start_link(Scope),
    {Group, Members} = pg:monitor(Scope, ServerHost),
    ok = pg:join(Scope, ServerHost, self()),
    {ok, _} = mnesia:subscribe(system),
    State = #state{server_host = ServerHost, group = Group},
    {ok, changed(Members, State)}.

%% @private
-spec handle_call({told, [told()]} | forget | term(), gen_server:from(), #state{}) -> {reply, ok, #state{}}.
handle_call({told, Told}, {From, _}, State) ->
    %% What is kept in Mnesia is not the same here as there after the network was split, until one of the sides has been
    %% started again.
    IsRunning = lists:member(node(From), ejabberd_cluster:get_nodes()),
    lists:foreach(fun(Each) -> hear(Each, IsRunning, State) end, both(Told)),
    {reply, ok, State};
handle_call(forget, _From, State) ->
    {reply, ok, remember_nothing(State)};
handle_call(_Request, _From, State) ->
    %% Of a later version.
    {reply, ok, State}.

%% @private
-spec handle_cast(forget | term(), #state{}) -> {noreply, #state{}}.
handle_cast(forget, State) ->
    {noreply, remember_nothing(State)};
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info({reference(), join | leave, binary(), [pid()]} | {mnesia_system_event, term()} | {went, node()} | term(),
                  #state{}) -> {noreply, #state{}}.
handle_info({Group, join, _, Members}, #state{group = Group} = State) ->
    {noreply, changed(Members -- [self()], State)};
handle_info({Group, leave, _, Members}, #state{server_host = ServerHost, group = Group} = State) ->
    %% It may have stored something in its last moment.
    Forgotten = remember_nothing(State),
    Lost = [node(Member) || Member <- Members] -- nodes([this, visible]),
    _ = spawn(fun() -> lists:foreach(fun(Node) -> twitter_unread:lost(ServerHost, Node) end, Lost) end),
    {noreply, Forgotten};
handle_info({mnesia_system_event, {mnesia_down, Node}}, State) ->
    _ = erlang:send_after(?WENT_MS, self(), {went, Node}),
    {noreply, released(Node, State)};
handle_info({went, Node}, State) ->
    {noreply, released(Node, State)};
handle_info(_Message, State) ->
    {noreply, State}.

%% Who writes in Mnesia waits for all that have a copy, and looks each second whether they are still there. A node that was
%% started again within a second (as join_cluster does) is, but will never answer. So a writer that waits is told what
%% Mnesia tells those who are in a transaction.
released(Node, #state{server_host = ServerHost} = State) ->
    Waiting = [Writer || Name <- twitter_pool:workers(twitter_writer, ServerHost),
                         Writer <- [whereis(Name)], is_pid(Writer),
                         process_info(Writer, current_function) =:= {current_function, {mnesia_tm, get_dirty_reply, 2}}],
    lists:foreach(fun(Writer) -> Writer ! {mnesia_down, Node} end, Waiting),
    _ = [?INFO_MSG("The node ~ts has gone: ~b writers wait for it no longer", [Node, length(Waiting)]) || Waiting =/= []],
    State.

%% @private
-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, _State) ->
    ok.

changed([], State) ->
    State;
changed(Joined, State) ->
    lists:foreach(fun(Member) -> gen_server:cast(Member, forget) end, Joined),
    remember_nothing(State).

remember_nothing(#state{server_host = ServerHost} = State) ->
    %% What others have written here has gone through the process that answers this.
    _ = mnesia:transaction(fun() -> ok end),
    lists:foreach(fun twitter_index:forget_all/1, twitter_service:all(ServerHost)),
    ok = twitter_rights:forget(ServerHost),
    %% It is read again in the background.
    ok = twitter_warm_up:served(ServerHost),
    State.

hear({index, Host, Author, Change}, IsRunning, _State) ->
    case twitter_service:find(Host) of
        {ok, Service} ->
            case IsRunning orelse twitter_storage:db(Host) =:= sql of
                true -> twitter_index:change(Service, Author, Change);
                false -> twitter_index:change(Service, Author, forget)
            end;
        %% Its index will begin empty.
        error ->
            ok
    end;
hear({post, Post}, _IsRunning, #state{server_host = ServerHost}) ->
    %% By the clock of this node: its sessions are the ones that may leave before it was sent.
    twitter_fanout:wait(ServerHost, Post#{began => twitter_unread:moment()});
hear({drop, Author}, _IsRunning, #state{server_host = ServerHost}) ->
    twitter_fanout:drop(ServerHost, Author);
hear(_Unknown, _IsRunning, _State) ->
    ok.
