%%% @doc Which users of a vhost may block anybody: those who have a privacy list (XEP-0016, XEP-0191).
%%% Of all others ejabberd need not be asked, for each recipient of each post, whether they block.
%%%
%%% Where privacy lists are in Mnesia, it tells this process of every change before the one who made it
%%% goes on, so whoever calls {@link sync/1} first sees every change that was over by then. Everywhere
%%% else, and while another module has a say in who is blocked, everybody may block.
-module(twitter_blocks).
-behaviour(gen_server).

-export([sync/1, may_block/2, start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% Of ejabberd's own modules, those that can deny a message or a presence to a user without lists: none.
-define(KNOWN_MODULES, [mod_privacy, mod_last, mod_pres_counter]).

%% `none': nothing is known. Else the users that have lists, of all vhosts.
-record(state, {server_host :: binary(), table = none :: none | ets:tid()}).

%% @doc Returns when {@link may_block/2} knows of everything that has happened so far.
-spec sync(ServerHost :: binary()) -> ok.
sync(ServerHost) ->
    try
        gen_server:call(name(ServerHost), sync, infinity)
    catch
        %% Nobody is there who knows: everybody may block.
        exit:{_, {gen_server, call, _}} -> ok
    end.

%% @doc `false' if this user of this server blocks nobody.
-spec may_block(LUser :: binary(), LServer :: binary()) -> boolean().
may_block(LUser, LServer) ->
    case persistent_term:get({?MODULE, LServer}, none) of
        none ->
            true;
        Table ->
            try ets:member(Table, {LUser, LServer})
            catch error:badarg -> true
            end
    end.

-spec start_link(ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost) ->
    gen_server:start_link({local, name(ServerHost)}, ?MODULE, ServerHost, []).

name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%% @private
-spec init(ServerHost :: binary()) -> {ok, #state{}}.
init(ServerHost) ->
    process_flag(trap_exit, true),
    persistent_term:erase({?MODULE, ServerHost}),
    {ok, know(#state{server_host = ServerHost})}.

%% @private
-spec handle_call(sync, gen_server:from(), #state{}) -> {reply, ok, #state{}}.
handle_call(sync, _From, #state{server_host = ServerHost, table = Table} = State) ->
    case {can_know(ServerHost), Table} of
        {true, none} -> {reply, ok, know(State)};
        {false, none} -> {reply, ok, State};
        {true, _} -> {reply, ok, compare(State)};
        {false, _} -> {reply, ok, forget(State)}
    end.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info({mnesia_table_event, tuple()} | term(), #state{}) -> {noreply, #state{}}.
handle_info({mnesia_table_event, Event}, #state{table = Table} = State)
  when Table =/= none ->
    _ = case Event of
            {write, Record, _} -> ets:insert(Table, {element(2, Record)});
            {delete_object, Record, _} -> ets:delete(Table, element(2, Record));
            {delete, {privacy, User}, _} -> ets:delete(Table, User);
            _ -> true
        end,
    {noreply, State};
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec terminate(term(), #state{}) -> term().
terminate(_Reason, State) ->
    forget(State).

%% Listens first: what changes while the table is read is then told as well.
know(#state{server_host = ServerHost} = State) ->
    case can_know(ServerHost) andalso mnesia:subscribe({table, privacy, simple}) of
        {ok, _} ->
            Table = ets:new(?MODULE, [protected, {read_concurrency, true}]),
            true = ets:insert(Table, [{User} || User <- mnesia:dirty_all_keys(privacy)]),
            persistent_term:put({?MODULE, ServerHost}, Table),
            State#state{table = Table};
        _ ->
            State
    end.

%% Not all that writes to Mnesia tells its listeners: a backup that is restored does not.
compare(#state{table = Table} = State) ->
    case mnesia:table_info(privacy, size) =:= ets:info(Table, size) of
        true -> State;
        false -> know(forget(State))
    end.

forget(#state{table = none} = State) ->
    State;
forget(#state{server_host = ServerHost, table = Table} = State) ->
    persistent_term:erase({?MODULE, ServerHost}),
    _ = mnesia:unsubscribe({table, privacy, simple}),
    true = ets:delete(Table),
    State#state{table = none}.

can_know(ServerHost) ->
    gen_mod:is_loaded(ServerHost, mod_privacy)
        andalso gen_mod:db_mod(ServerHost, mod_privacy) =:= mod_privacy_mnesia
        andalso only_known_modules(ServerHost).

%% ejabberd has no function that tells the handlers of a hook. Its table does, in all versions in which
%% the second element of an entry is the list of them.
only_known_modules(ServerHost) ->
    case ets:lookup(hooks, {privacy_check_packet, ServerHost}) of
        [Entry] ->
            try
                lists:all(fun({_Priority, Module, _Function}) -> lists:member(Module, ?KNOWN_MODULES) end,
                          element(2, Entry))
            catch
                error:_ -> false
            end;
        [] ->
            true
    end.
