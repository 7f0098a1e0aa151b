%%% @doc Hears of every change in the Mnesia tables on which rights depend, so that what was read there
%%% can be remembered: one process for each vhost.
%%%
%%% Mnesia tells its subscribers of a change just before it is in the table, and thus before the one who
%%% made it goes on. Whoever calls {@link sync/0} first, therefore, finds in what is remembered all that
%%% was over by then, if a watcher does not trust what it reads before the change has ended. Where that cannot be
%%% relied upon, nothing is remembered: {@link find/2} says so, and ejabberd has to be asked. That is so
%%% while the data is kept elsewhere than in Mnesia, and while modules of others have a say in the hooks
%%% that give the answers.
-module(twitter_watch).
-behaviour(gen_server).

-export([find/2, sync/0, start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export_type([subject/0]).

%% What is to be watched: a table of a module of ejabberd, if it has this backend, and the hooks by which
%% it answers, with the modules that may do so without changing the answer.
-type subject() :: #{table := atom(), owner := module(), backend := module(),
                     hooks := [{Hook :: atom(), [module()]}]}.

-callback subject() -> subject().
%% The table is watched from now on: what is remembered of it, which {@link find/2} will give.
-callback begun() -> Memory :: term().
%% Whether a change under this key matters. If so, the key is locked for a moment, and not every transaction of
%% ejabberd begins anew when it meets a lock.
-callback matters(Key :: term()) -> boolean().
%% Something is being written or deleted under this key, and has been soon after.
-callback changes(Memory :: term(), Key :: term()) -> term().
-callback changed(Memory :: term(), Key :: term()) -> term().
%% The table is watched no longer.
-callback ended(Memory :: term()) -> term().

-record(state, {server_host :: binary(),
                memories = #{} :: #{module() => term()}}).

-define(WATCHERS, [twitter_blocks, twitter_restored, twitter_rights]).
%% How often a table is looked at for a change that was made without a lock, a millisecond apart.
-define(LOOKS, 20).

%% @doc What a watcher remembers, if it can.
-spec find(Watcher :: module(), ServerHost :: binary()) -> {ok, Memory :: term()} | error.
find(Watcher, ServerHost) ->
    case persistent_term:get({?MODULE, Watcher, ServerHost}, none) of
        {Pid, Memory} ->
            %% If it was killed, changes since then are unknown.
            case is_process_alive(Pid) of
                true -> {ok, Memory};
                false -> error
            end;
        none ->
            error
    end.

%% @doc Returns when what is remembered knows of everything that has happened so far.
-spec sync() -> ok.
sync() ->
    lists:foreach(fun(Host) -> sync(whereis(name(Host))) end, ejabberd_option:hosts()).

sync(undefined) ->
    ok;
sync(Pid) ->
    try
        gen_server:call(Pid, sync, infinity)
    catch
        %% It has ended, and with it all that was remembered.
        exit:{_, {gen_server, call, _}} -> ok
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
    lists:foreach(fun(Watcher) -> persistent_term:erase({?MODULE, Watcher, ServerHost}) end, ?WATCHERS),
    {ok, compare(#state{server_host = ServerHost})}.

%% @private
-spec handle_call(sync, gen_server:from(), #state{}) -> {reply, ok, #state{}}.
handle_call(sync, _From, State) ->
    {reply, ok, compare(State)}.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info({mnesia_table_event, tuple()} | term(), #state{}) -> {noreply, #state{}}.
handle_info({mnesia_table_event, Event}, #state{memories = Memories} = State) ->
    case change(Event) of
        {schema, Table} ->
            %% It was emptied, or filled from a backup.
            {noreply, compare(lists:foldl(fun forget/2, State, watchers(Table, Memories)))};
        {Table, Key} ->
            Watchers = [Watcher || Watcher <- watchers(Table, Memories), Watcher:matters(Key),
                                   not is_known(Watcher, Event)],
            Told = maps:with(Watchers, Memories),
            maps:foreach(fun(Watcher, Memory) -> Watcher:changes(Memory, Key) end, Told),
            await_end(Table, Key, Event, Told),
            {noreply, State}
    end;
handle_info({changed, Key, Told}, #state{memories = Memories} = State) ->
    %% What was begun anew meanwhile has seen the change.
    maps:foreach(fun(Watcher, Memory) ->
                         maps:get(Watcher, Memories, none) =:= Memory andalso Watcher:changed(Memory, Key)
                 end, Told),
    {noreply, State};
handle_info(_Message, State) ->
    {noreply, State}.

change({write, Record, _}) -> {element(1, Record), element(2, Record)};
change({delete_object, Record, _}) -> {element(1, Record), element(2, Record)};
change({delete, {Table, Key}, _}) -> {Table, Key}.

%% What the plugin has changed itself is none of this.
is_known(twitter_restored, {_, _, {tid, _, Process}}) -> twitter_writer:is_one(Process);
is_known(_Watcher, _Event) -> false.

%% This process is sent `changed' when the change is in the table. That of a transaction is, once its lock
%% can be had. Others take no locks: for them the table is looked at for a while. All that in a process of
%% its own: the lock may be held for long, even by somebody who waits for this one.
await_end(_Table, _Key, _Event, Told) when map_size(Told) =:= 0 ->
    ok;
await_end(Table, Key, Event, Told) ->
    Watch = self(),
    _ = spawn(fun() ->
                      _ = mnesia:transaction(fun() -> mnesia:read(Table, Key) end),
                      look(Table, Key, Event, ?LOOKS),
                      Watch ! {changed, Key, Told}
              end),
    ok.

look(_Table, _Key, _Event, 0) ->
    ok;
look(Table, Key, Event, Looks) ->
    There = mnesia:dirty_read(Table, Key),
    case Event of
        {write, Record, _} when There =:= [Record] -> ok;
        {delete, _, _} when There =:= [] -> ok;
        {delete_object, Record, _} when There =/= [Record] -> ok;
        _ ->
            %% Or it has been changed again, of which we are told as well.
            timer:sleep(1),
            look(Table, Key, Event, Looks - 1)
    end.

watchers(Table, Memories) ->
    [Watcher || Watcher <- maps:keys(Memories), maps:get(table, Watcher:subject()) =:= Table].

%% @private
-spec terminate(term(), #state{}) -> term().
terminate(_Reason, #state{memories = Memories} = State) ->
    lists:foldl(fun forget/2, State, maps:keys(Memories)).

%% Remembers what can be remembered, and nothing else.
compare(State) ->
    lists:foldl(
      fun(Watcher, #state{server_host = ServerHost, memories = Memories} = Before) ->
              Subject = Watcher:subject(),
              case {is_reliable(ServerHost, Subject), is_map_key(Watcher, Memories)} of
                  {true, true} ->
                      case is_subscribed(Subject) of
                          true -> Before;
                          %% Mnesia made the table anew, and forgot about us.
                          false -> remember(Watcher, forget(Watcher, Before))
                      end;
                  {true, false} -> remember(Watcher, Before);
                  {false, true} -> forget(Watcher, Before);
                  {false, false} -> Before
              end
      end, State, ?WATCHERS).

%% Listens first: what changes while the table is read is then told as well. What was told to others
%% before is in the table once its lock can be had.
remember(Watcher, #state{server_host = ServerHost, memories = Memories} = State) ->
    #{table := Table} = Watcher:subject(),
    maybe_subscribed(mnesia:subscribe({table, Table, simple}), Table,
                     fun() ->
                             Memory = Watcher:begun(),
                             persistent_term:put({?MODULE, Watcher, ServerHost}, {self(), Memory}),
                             State#state{memories = Memories#{Watcher => Memory}}
                     end, State).

maybe_subscribed({ok, _}, Table, Remember, State) ->
    case mnesia:transaction(fun() -> mnesia:read_lock_table(Table) end) of
        {atomic, _} ->
            Remember();
        {aborted, _} ->
            _ = mnesia:unsubscribe({table, Table, simple}),
            State
    end;
maybe_subscribed({error, _}, _Table, _Remember, State) ->
    State.

forget(Watcher, #state{server_host = ServerHost, memories = Memories} = State) ->
    #{table := Table} = Watcher:subject(),
    {Memory, Others} = maps:take(Watcher, Memories),
    persistent_term:erase({?MODULE, Watcher, ServerHost}),
    _ = mnesia:unsubscribe({table, Table, simple}),
    _ = Watcher:ended(Memory),
    State#state{memories = Others}.

is_subscribed(#{table := Table}) ->
    lists:member(self(), mnesia:table_info(Table, subscribers)).

is_reliable(ServerHost, #{table := Table, owner := Owner, backend := Backend, hooks := Hooks}) ->
    try
        gen_mod:is_loaded(ServerHost, Owner)
            andalso gen_mod:db_mod(ServerHost, Owner) =:= Backend
            andalso lists:member(Table, mnesia:system_info(tables))
            andalso twitter_hooks:are_known(ServerHost, Hooks)
    catch
        %% The module was stopped meanwhile.
        error:{module_not_loaded, _, _} -> false
    end.
